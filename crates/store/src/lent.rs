//! Sandboxes that are lent to somebody's programs. What is known of one is sealed by somebody else, whose key is never here.

use crate::jobs::{Job, Record};
use crate::{ReadError, Store, WriteError};
use lamplight_domain::SessionId;
use rusqlite::{Connection, params};

/// One of them, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentRow {
    pub id: SessionId,
    /// The name of whom it is for.
    pub person: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LentChange {
    Keep(LentRow),
    Remove(SessionId),
}

impl LentChange {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Keep(row) => row.body.len() + row.person.len(),
            Self::Remove(_) => 64,
        }
    }
}

impl Store {
    /// Writes down what there is of it from now on, or that there is nothing any more.
    pub async fn change_lent(&self, change: LentChange) -> Result<(), WriteError> {
        self.ask(|reply| Job::Record(Record::Lent { change, reply })).await
    }

    /// All that there are, by id.
    pub async fn lent(&self) -> Result<Vec<LentRow>, ReadError> {
        self.read_rows(all).await
    }
}

pub(crate) fn change(connection: &Connection, change: &LentChange) -> rusqlite::Result<()> {
    match change {
        LentChange::Keep(LentRow { id, person, body }) => connection
            .prepare_cached(
                "INSERT INTO lent (id, person, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET person = excluded.person, body = excluded.body",
            )?
            .execute(params![id.as_str(), person, body])?,
        LentChange::Remove(id) => {
            connection.prepare_cached("DELETE FROM lent WHERE id = ?1")?.execute([id.as_str()])?
        }
    };
    Ok(())
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<LentRow>> {
    connection
        .prepare_cached("SELECT id, person, body FROM lent ORDER BY id")?
        .query_map([], |row| {
            Ok(LentRow { id: crate::summaries::id(row, 0)?, person: row.get(1)?, body: row.get(2)? })
        })?
        .collect()
}
