//! The API as its clients see it.

mod create;
mod events;
mod guard;
mod openapi;
mod page;
mod problems;
mod sessions;
mod shutdown;
mod turns;
