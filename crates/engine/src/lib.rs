//! One actor per awake session, effects and reconcilers
