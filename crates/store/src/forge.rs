//! What a forge told and what was made of it. Of a delivery there is one row, however often and on however many ways it comes.

use crate::jobs::{Job, Record};
use crate::reviews::{self, ReviewChange};
use crate::sql::{Connection, Result, Row, ToValue, Value, params};
use crate::{ReadError, Store, WriteError};
use lamplight_domain::{SessionId, Timestamp};

/// For so long it is known that a delivery came; forges send again for some days at the most.
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Of those that are older, so many are forgotten with each new one.
const SWEPT: i64 = 16;

/// Something that a forge told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The forge's own name of it.
    pub id: String,
    /// What it is about, the same whichever way it came.
    pub identity: Option<String>,
    pub body: String,
    pub at: Timestamp,
}

/// Up to where a list was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub name: String,
    pub at: String,
}

/// A delivery that has not had its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub number: i64,
    pub body: String,
    pub at: Timestamp,
    /// How often it was begun.
    pub tries: u32,
}

/// An issue that a session works on, or a pull request that somebody else opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// `owner/name`, in lower case.
    pub repository: String,
    pub number: u64,
    /// It may not be made yet.
    pub session: SessionId,
    pub begun_at: Timestamp,
    pub comment: Option<u64>,
    /// What the comment says.
    pub told: String,
    pub branch: Option<String>,
    pub pull_request: Option<u64>,
    pub problem: Option<String>,
    /// The commit at which the problem was.
    pub problem_at: Option<String>,
}

impl Thread {
    /// It works on a pull request that somebody else opened: the one that shows its work is the one that it was asked for on.
    pub fn is_pull_request(&self) -> bool {
        self.pull_request == Some(self.number)
    }
}

/// One change, with whatever else is written at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgeChange {
    /// New ones are kept, and from where on the next are read.
    Deliver {
        deliveries: Vec<Delivery>,
        mark: Option<Mark>,
    },
    /// One more try begins.
    Try {
        number: i64,
    },
    /// It is looked at again then.
    Postpone {
        number: i64,
        due: Timestamp,
        why: String,
    },
    Finish {
        number: i64,
        outcome: String,
    },
    /// Unless there is one of this issue, or another one's of its branch; those of these sessions do not count, and the is replaced.
    BeginThread {
        thread: Thread,
        instead_of: Vec<SessionId>,
    },
    Comment {
        session: SessionId,
        comment: u64,
    },
    Told {
        session: SessionId,
        told: String,
    },
    Branch {
        session: SessionId,
        branch: String,
    },
    PullRequest {
        session: SessionId,
        number: u64,
    },
    Problem {
        session: SessionId,
        problem: Option<String>,
        at: Option<String>,
    },
    Review(Box<ReviewChange>),
}

impl ForgeChange {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Deliver { deliveries, .. } => {
                deliveries.iter().map(|one| one.id.len() + one.body.len()).sum()
            }
            Self::Told { told, .. } => told.len(),
            _ => 64,
        }
    }
}

impl Store {
    /// Writes down what a forge told, or what was made of it; gives how many rows are new or other than before.
    pub async fn forge(&self, change: ForgeChange) -> Result<usize, WriteError> {
        self.ask(|reply| Job::Record(Record::Forge { change, reply })).await
    }

    /// Deliveries that are due at `now`, the oldest first.
    pub async fn waiting_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<Waiting>, ReadError> {
        self.read_rows(move |connection| waiting(connection, now, limit)).await
    }

    /// When the next delivery is due that is not due at `now`.
    pub async fn next_delivery_due(&self, now: Timestamp) -> Result<Option<Timestamp>, ReadError> {
        self.read_rows(move |connection| next_due(connection, now)).await
    }

    /// Deliveries that nothing has come of yet.
    pub async fn deliveries_waiting(&self) -> Result<u64, ReadError> {
        self.read_rows(still_waiting).await
    }

    pub async fn mark(&self, name: &str) -> Result<Option<String>, ReadError> {
        let name = name.to_owned();
        self.read_rows(move |connection| mark(connection, &name)).await
    }

    /// Of an issue, or of the pull request that came of one.
    pub async fn thread(&self, repository: &str, number: u64) -> Result<Option<Thread>, ReadError> {
        let repository = repository.to_owned();
        self.read_rows(move |connection| thread(connection, &repository, number)).await
    }

    pub async fn thread_of(&self, session: &SessionId) -> Result<Option<Thread>, ReadError> {
        let session = session.clone();
        self.read_rows(move |connection| thread_of(connection, &session)).await
    }

    pub async fn thread_of_branch(
        &self,
        repository: &str,
        branch: &str,
    ) -> Result<Option<Thread>, ReadError> {
        let (repository, branch) = (repository.to_owned(), branch.to_owned());
        self.read_rows(move |connection| thread_of_branch(connection, &repository, &branch)).await
    }

    /// Those begun last, the newest first.
    pub async fn threads(&self, limit: usize) -> Result<Vec<Thread>, ReadError> {
        self.read_rows(move |connection| threads(connection, limit)).await
    }
}

/// Gives how many rows are new or other than before.
pub(crate) fn change(connection: &Connection, change: &ForgeChange) -> Result<usize> {
    let set = |column: &str, session: &SessionId, value: Value<'_>| {
        let text = format!("UPDATE threads SET {column} = ?2 WHERE session = ?1");
        connection.execute(&text, params![session.as_str(), value])
    };
    match change {
        ForgeChange::Deliver { deliveries, mark } => {
            let mut new = 0;
            for delivery in deliveries {
                new += deliver(connection, delivery)?;
            }
            if let Some(mark) = mark {
                let text = "INSERT INTO marks (name, at) VALUES (?1, ?2)
                    ON CONFLICT (name) DO UPDATE SET at = excluded.at";
                connection.execute(text, params![mark.name, mark.at])?;
            }
            Ok(new)
        }
        ForgeChange::Try { number } => {
            connection.execute("UPDATE deliveries SET tries = tries + 1 WHERE number = ?1", params![number])
        }
        ForgeChange::Postpone { number, due, why } => connection.execute(
            "UPDATE deliveries SET due_at = ?2, outcome = ?3 WHERE number = ?1 AND due_at IS NOT NULL",
            params![number, due.0, why],
        ),
        ForgeChange::Finish { number, outcome } => connection.execute(
            "UPDATE deliveries SET due_at = NULL, outcome = ?2, body = '' WHERE number = ?1",
            params![number, outcome],
        ),
        ForgeChange::BeginThread { thread, instead_of } => begin(connection, thread, instead_of),
        ForgeChange::Comment { session, comment } => set("comment", session, signed(*comment).value()),
        ForgeChange::Told { session, told } => set("told", session, told.value()),
        ForgeChange::Branch { session, branch } => set("branch", session, branch.value()),
        ForgeChange::PullRequest { session, number } => set("pull_request", session, signed(*number).value()),
        ForgeChange::Review(change) => reviews::change(connection, change),
        ForgeChange::Problem { session, problem, at } => {
            set("problem_at", session, at.value())?;
            set("problem", session, problem.value())
        }
    }
}

fn deliver(connection: &Connection, delivery: &Delivery) -> Result<usize> {
    let Delivery { id, identity, body, at } = delivery;
    let new = connection.execute(
        "INSERT INTO deliveries (id, identity, body, at, due_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT DO NOTHING",
        params![id, identity, body, at.0],
    )?;
    if new > 0 {
        connection.execute(
            "DELETE FROM deliveries WHERE number IN
             (SELECT number FROM deliveries WHERE due_at IS NULL AND at < ?1 ORDER BY at LIMIT ?2)",
            params![at.0.saturating_sub(KEPT_MS as i64), SWEPT],
        )?;
    }
    Ok(new)
}

fn begin(connection: &Connection, thread: &Thread, instead_of: &[SessionId]) -> Result<usize> {
    if let Some(branch) = &thread.branch
        && let Some(of) = thread_of_branch(connection, &thread.repository, branch)?
        && !instead_of.contains(&of.session)
    {
        return Ok(0);
    }
    for before in instead_of {
        connection.execute(
            "DELETE FROM threads WHERE repository = ?1 AND number = ?2 AND session = ?3",
            params![thread.repository, signed(thread.number), before.as_str()],
        )?;
    }
    connection.execute(
        "INSERT INTO threads (repository, number, session, begun_at, branch, pull_request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![
            thread.repository,
            signed(thread.number),
            thread.session.as_str(),
            thread.begun_at.0,
            thread.branch,
            thread.pull_request.map(signed)
        ],
    )
}

/// Those that are due, the oldest first.
pub(crate) fn waiting(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Waiting>> {
    let text =
        "SELECT number, body, at, tries FROM deliveries WHERE due_at <= ?1 ORDER BY due_at, number LIMIT ?2";
    connection.rows(text, params![now.0, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Waiting {
            number: row.get(0)?,
            body: row.get(1)?,
            at: Timestamp(row.get(2)?),
            tries: row.count(3)?,
        })
    })
}

/// When the next is due that is not due at `now`.
pub(crate) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let text = "SELECT MIN(due_at) FROM deliveries WHERE due_at > ?1";
    let next: Option<Option<i64>> = connection.row(text, params![now.0], |row| row.get(0))?;
    Ok(next.flatten().map(Timestamp))
}

pub(crate) fn still_waiting(connection: &Connection) -> Result<u64> {
    let text = "SELECT COUNT(*) FROM deliveries WHERE due_at IS NOT NULL";
    let count: Option<i64> = connection.row(text, params![], |row| row.get(0))?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

pub(crate) fn mark(connection: &Connection, name: &str) -> Result<Option<String>> {
    connection.row("SELECT at FROM marks WHERE name = ?1", params![name], |row| row.get(0))
}

/// Of an issue, or of a pull request that came of one.
pub(crate) fn thread(connection: &Connection, repository: &str, number: u64) -> Result<Option<Thread>> {
    one(
        connection,
        "WHERE repository = ?1 AND (number = ?2 OR pull_request = ?2) ORDER BY begun_at DESC LIMIT 1",
        params![repository, signed(number)],
    )
}

pub(crate) fn thread_of(connection: &Connection, session: &SessionId) -> Result<Option<Thread>> {
    one(connection, "WHERE session = ?1", params![session.as_str()])
}

pub(crate) fn thread_of_branch(
    connection: &Connection,
    repository: &str,
    branch: &str,
) -> Result<Option<Thread>> {
    let condition = "WHERE repository = ?1 AND branch = ?2 ORDER BY begun_at DESC LIMIT 1";
    one(connection, condition, params![repository, branch])
}

/// Those begun last, the newest first.
pub(crate) fn threads(connection: &Connection, limit: usize) -> Result<Vec<Thread>> {
    let text = format!("{SELECT} ORDER BY begun_at DESC LIMIT ?1");
    connection.rows(&text, params![i64::try_from(limit).unwrap_or(i64::MAX)], read)
}

const SELECT: &str = "SELECT repository, number, session, begun_at, comment, told, branch, pull_request, problem, problem_at FROM threads";

fn one(connection: &Connection, condition: &str, values: &[Value<'_>]) -> Result<Option<Thread>> {
    connection.row(&format!("{SELECT} {condition}"), values, read)
}

fn read(row: &Row<'_>) -> Result<Thread> {
    let unsigned = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    Ok(Thread {
        repository: row.get(0)?,
        number: unsigned(row.get(1)?).unwrap_or_default(),
        session: row.parse(2)?,
        begun_at: Timestamp(row.get(3)?),
        comment: unsigned(row.get(4)?),
        told: row.get(5)?,
        branch: row.get(6)?,
        pull_request: unsigned(row.get(7)?),
        problem: row.get(8)?,
        problem_at: row.get(9)?,
    })
}

/// No number of a forge's is that large.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
