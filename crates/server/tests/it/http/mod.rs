//! The API as its clients see it.

mod attachments;
mod audit;
mod changes;
mod create;
mod events;
mod files;
mod guard;
mod openapi;
mod page;
mod problems;
mod questions;
mod sessions;
mod shutdown;
mod turns;
