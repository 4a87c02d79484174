//! The session machine, seen from outside: inputs go in, events come out, and what must always hold holds.

mod agents;
mod attachments;
mod attempts;
mod budgets;
mod checkpoints;
mod checks;
mod contacts;
mod dead;
mod family;
mod fixtures;
mod guards;
mod late;
mod pauses;
mod questions;
mod queue;
mod random;
mod rights;
mod tidying;
mod traces;
mod updates;
mod watch;
mod world;
