//! The store on PostgreSQL.
//!
//! What differs from SQLite is here: how one connects and finds out that one does not any more, the schema, the writer and its one
//! statement for all appends of a group, and the words that search knows. Why it is as it is: `docs/decisions/0031-postgresql.md`.

mod address;
mod append;
mod claim;
mod schema;
mod session;
mod stage;
mod words;
mod writer;

pub use address::{BadAddress, PostgresAddress};
pub use schema::Examined;

pub(crate) use claim::{give_up, is_served, open as claim};
pub(crate) use session::Session;
pub(crate) use words::{query, snippet, vector};
pub(crate) use writer::start;
