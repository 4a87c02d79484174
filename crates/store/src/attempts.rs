//! Which of several sessions with the same task a person has taken. The first choice is the one; each of the sessions is told of it by
//! somebody else.

use crate::jobs::{Job, Record};
use crate::sql::{Connection, Result, Row, params};
use crate::{ReadError, Store, WriteError};
use lamplight_domain::{SessionId, Timestamp};

/// A choice that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// All of them; together they are called by the first.
    pub sessions: Vec<SessionId>,
    /// The one that was taken.
    pub session: SessionId,
    pub by: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceChange {
    /// Unless there is a choice of these attempts.
    Make(Choice),
    /// Each of these has been told.
    Settle { attempts: SessionId },
}

impl ChoiceChange {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Make(choice) => 64 * choice.sessions.len(),
            Self::Settle { .. } => 64,
        }
    }
}

impl Store {
    /// Gives how many rows are new or other than before.
    pub async fn change_choice(&self, change: ChoiceChange) -> std::result::Result<usize, WriteError> {
        self.ask(|reply| Job::Record(Record::Choice { change, reply })).await
    }

    /// What was chosen of the attempts that are called so.
    pub async fn choice(&self, attempts: &SessionId) -> std::result::Result<Option<Choice>, ReadError> {
        let attempts = attempts.clone();
        self.read_rows(move |connection| {
            let text = format!("SELECT {COLUMNS} FROM attempts_taken WHERE attempts = ?1");
            connection.row(&text, params![attempts.as_str()], read)
        })
        .await
    }

    /// Choices of which not every session has been told, the oldest first.
    pub async fn unsettled_choices(&self, limit: usize) -> std::result::Result<Vec<Choice>, ReadError> {
        let text =
            format!("SELECT {COLUMNS} FROM attempts_taken WHERE settled = 0 ORDER BY at LIMIT {limit}");
        self.read_rows(move |connection| connection.rows(&text, &[], read)).await
    }
}

const COLUMNS: &str = "sessions, session, by, at";

fn read(row: &Row<'_>) -> Result<Choice> {
    let sessions: String = row.get(0)?;
    Ok(Choice {
        sessions: sessions.split(' ').filter_map(|id| id.parse().ok()).collect(),
        session: row.parse(1)?,
        by: row.get(2)?,
        at: Timestamp(row.get(3)?),
    })
}

/// Gives how many rows are new or other than before.
pub(crate) fn change(connection: &Connection, change: &ChoiceChange) -> Result<usize> {
    match change {
        ChoiceChange::Make(Choice { sessions, session, by, at }) => {
            let Some(first) = sessions.first() else { return Ok(0) };
            let all: Vec<&str> = sessions.iter().map(SessionId::as_str).collect();
            connection.execute(
                "INSERT INTO attempts_taken (attempts, sessions, session, by, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (attempts) DO NOTHING",
                params![first.as_str(), all.join(" "), session.as_str(), by, at.0],
            )
        }
        ChoiceChange::Settle { attempts } => connection.execute(
            "UPDATE attempts_taken SET settled = 1 WHERE attempts = ?1 AND settled = 0",
            params![attempts.as_str()],
        ),
    }
}
