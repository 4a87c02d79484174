//! `/sessions/{id}/ports`: what programs in a session's sandbox serve.

pub mod list;
pub mod open;
