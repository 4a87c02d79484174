//! Sandboxes that are lent to somebody's programs. What is known of one is sealed by somebody else, whose key is never here.

use crate::jobs::{Job, Record};
use crate::sql::{Connection, Dialect, Result, params};
use crate::{ReadError, Store, WriteError};
use lamplight_domain::SessionId;

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
    pub async fn change_lent(&self, change: LentChange) -> std::result::Result<(), WriteError> {
        let server = self.ours().number;
        self.ask(|reply| Job::Record(Record::Lent { change, server, reply })).await
    }

    /// All that are on this server's machine, by id.
    pub async fn lent(&self) -> std::result::Result<Vec<LentRow>, ReadError> {
        let server = self.ours().number;
        self.read_rows(move |connection| all(connection, server)).await
    }
}

pub(crate) fn change(connection: &Connection, change: &LentChange, server: i64) -> Result<()> {
    match change {
        LentChange::Keep(LentRow { id, person, body }) if connection.dialect() == Dialect::Postgres => {
            connection.execute(
                "INSERT INTO lent (id, person, body, server) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET person = excluded.person, body = excluded.body, server = excluded.server",
                params![id.as_str(), person, body, server],
            )?
        }
        LentChange::Keep(LentRow { id, person, body }) => connection.execute(
            "INSERT INTO lent (id, person, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET person = excluded.person, body = excluded.body",
            params![id.as_str(), person, body],
        )?,
        LentChange::Remove(id) => {
            connection.execute("DELETE FROM lent WHERE id = ?1", params![id.as_str()])?
        }
    };
    Ok(())
}

fn all(connection: &Connection, server: i64) -> Result<Vec<LentRow>> {
    let text = match connection.dialect() {
        Dialect::Lite => "SELECT id, person, body FROM lent ORDER BY id".to_owned(),
        Dialect::Postgres => {
            format!("SELECT id, person, body FROM lent WHERE server = {server} ORDER BY id")
        }
    };
    connection
        .rows(&text, &[], |row| Ok(LentRow { id: row.parse(0)?, person: row.get(1)?, body: row.get(2)? }))
}
