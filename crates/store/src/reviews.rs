//! What of a pull request's reviews and checks was taken to its session, and what is owed in answer.

use crate::sql::{Connection, Result, params};
use crate::{ReadError, Store};
use lamplight_domain::{PromptId, SessionId};

/// Up to where a pull request was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// The newest review and the newest comment at a line that were seen.
    pub review: u64,
    pub comment: u64,
    /// The commit whose checks or conflicts were told.
    pub told_at: Option<String>,
    /// How often that was, since a person said something.
    pub rounds: u32,
    /// The commit at which a person was asked.
    pub asked_at: Option<String>,
}

/// What is to be said to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub prompt: PromptId,
    pub text: String,
    pub by: String,
}

/// What is to be answered once a prompt's turn is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyOwed {
    /// The comment, or the review whose summary it is.
    pub about: u64,
    /// The comment that its thread begins with; 0 is a review's summary.
    pub thread: u64,
    pub prompt: PromptId,
    /// Which of the prompt's remarks it was, from 1.
    pub number: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewChange {
    /// From here on the next is read, if it is said; what was found is to be said, and answered.
    Read {
        session: SessionId,
        reviewed: Option<Reviewed>,
        remark: Option<Remark>,
        replies: Vec<ReplyOwed>,
    },
    Said {
        prompt: PromptId,
    },
    Replied {
        session: SessionId,
        about: u64,
    },
    /// A person has said something.
    Heard {
        session: SessionId,
    },
}

impl Store {
    /// Up to where a session's pull request was read.
    pub async fn reviewed(&self, session: &SessionId) -> Result<Reviewed, ReadError> {
        let session = session.clone();
        self.read_rows(move |connection| reviewed(connection, &session)).await
    }

    /// What is to be said to a session.
    pub async fn remarks(&self, session: &SessionId) -> Result<Vec<Remark>, ReadError> {
        let session = session.clone();
        self.read_rows(move |connection| remarks(connection, &session)).await
    }

    /// What is to be answered on a session's pull request.
    pub async fn replies_owed(&self, session: &SessionId) -> Result<Vec<ReplyOwed>, ReadError> {
        let session = session.clone();
        self.read_rows(move |connection| replies(connection, &session)).await
    }
}

pub(crate) fn change(connection: &Connection, change: &ReviewChange) -> Result<usize> {
    match change {
        ReviewChange::Read { session, reviewed, remark, replies } => {
            if let Some(Remark { prompt, text, by }) = remark {
                connection.execute(
                    "INSERT INTO remarks (prompt, session, text, said_by) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO NOTHING",
                    params![prompt.as_str(), session.as_str(), text, by],
                )?;
            }
            for ReplyOwed { about, thread, prompt, number } in replies {
                connection.execute(
                    "INSERT INTO replies (session, about, thread, prompt, number) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO NOTHING",
                    params![session.as_str(), signed(*about), signed(*thread), prompt.as_str(), number],
                )?;
            }
            let Some(reviewed) = reviewed else { return Ok(replies.len()) };
            let Reviewed { review, comment, told_at, rounds, asked_at } = reviewed;
            connection.execute(
                "INSERT INTO reviewed (session, review, comment, told_at, rounds, asked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (session) DO UPDATE SET
                 review = excluded.review, comment = excluded.comment, told_at = excluded.told_at,
                 rounds = excluded.rounds, asked_at = excluded.asked_at",
                params![session.as_str(), signed(*review), signed(*comment), told_at, rounds, asked_at],
            )
        }
        ReviewChange::Said { prompt } => {
            let text = "UPDATE remarks SET is_said = 1, text = '' WHERE prompt = ?1";
            connection.execute(text, params![prompt.as_str()])
        }
        ReviewChange::Replied { session, about } => {
            let text = "DELETE FROM replies WHERE session = ?1 AND about = ?2";
            connection.execute(text, params![session.as_str(), signed(*about)])
        }
        ReviewChange::Heard { session } => {
            connection.execute("UPDATE reviewed SET rounds = 0 WHERE session = ?1", params![session.as_str()])
        }
    }
}

pub(crate) fn reviewed(connection: &Connection, session: &SessionId) -> Result<Reviewed> {
    let text = "SELECT review, comment, told_at, rounds, asked_at FROM reviewed WHERE session = ?1";
    let found = connection.row(text, params![session.as_str()], |row| {
        Ok(Reviewed {
            review: unsigned(row.get(0)?),
            comment: unsigned(row.get(1)?),
            told_at: row.get(2)?,
            rounds: row.count(3)?,
            asked_at: row.get(4)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// What was not said yet.
pub(crate) fn remarks(connection: &Connection, session: &SessionId) -> Result<Vec<Remark>> {
    let text = "SELECT prompt, text, said_by FROM remarks WHERE session = ?1 AND is_said = 0 ORDER BY rowid";
    connection.rows(text, params![session.as_str()], |row| {
        Ok(Remark { prompt: row.parse(0)?, text: row.get(1)?, by: row.get(2)? })
    })
}

pub(crate) fn replies(connection: &Connection, session: &SessionId) -> Result<Vec<ReplyOwed>> {
    let text = "SELECT about, thread, prompt, number FROM replies WHERE session = ?1 ORDER BY number, about";
    connection.rows(text, params![session.as_str()], |row| {
        Ok(ReplyOwed {
            about: unsigned(row.get(0)?),
            thread: unsigned(row.get(1)?),
            prompt: row.parse(2)?,
            number: row.count(3)?,
        })
    })
}

/// No number of a forge's is that large.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
