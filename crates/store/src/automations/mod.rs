//! Sessions that are begun by the clock or by what happens elsewhere, and what came of each time.
//!
//! Of a time there is one row, whoever notices it and however often: that is what makes one session of it.

mod reading;
mod writing;

pub(crate) use writing::change;

use crate::jobs::{Job, Record};
use crate::{ReadError, Store, WriteError};
use lamplight_domain::{SessionId, Timestamp};

/// One of them, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomationRow {
    pub id: String,
    /// Unlike every other's, in lower case too.
    pub name: String,
    /// The id of who made it; `None` where nobody signs in.
    pub owner: Option<String>,
    pub owner_name: String,
    pub repository: String,
    /// `owner/name` in lower case, of one that waits for what happens there.
    pub forge: Option<String>,
    pub body: String,
    pub created_at: Timestamp,
    /// When it is to run next by the clock.
    pub due_at: Option<Timestamp>,
    pub paused: Option<Paused>,
    /// Runs in a row that came to nothing.
    pub failures: u32,
}

/// Why something does not run, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    pub why: String,
    pub at: Timestamp,
}

/// A time that is to have a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    pub automation: String,
    /// What it is for: the same thing has one run.
    pub key: String,
    pub cause: String,
    /// Of the session that is made of it.
    pub session: SessionId,
    pub at: Timestamp,
}

/// A time, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    pub number: i64,
    pub automation: String,
    pub cause: String,
    pub session: SessionId,
    pub at: Timestamp,
    pub state: RunState,
    /// When its session was there; `None` where there is none.
    pub started_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Its session is to be made. `why` is of the last try, if there was one.
    Waiting {
        due: Timestamp,
        tries: u32,
        why: String,
    },
    /// Its session is at work.
    Running,
    Settled(Settled),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Done {
        detail: String,
    },
    Failed {
        why: String,
    },
    /// There was none.
    Skipped {
        why: String,
    },
}

/// A run that has not ended, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    pub run: RunRow,
    pub automation: AutomationRow,
}

/// One change, with whatever else is written at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AutomationChange {
    /// Unless there is one of this name.
    Add(AutomationRow),
    Pause {
        id: String,
        paused: Paused,
    },
    /// It has failed no time; `due` is when it runs next by the clock.
    Resume {
        id: String,
        due: Option<Timestamp>,
    },
    /// It is to run next at `due`, if that was to be at `was`.
    PutRight {
        id: String,
        was: Timestamp,
        due: Timestamp,
    },
    /// With its runs; their sessions stay.
    Remove {
        id: String,
    },
    /// The clock has reached `due`, if that is still when it was to run: then there is a run, and `next` is when the next is.
    Fire {
        due: Timestamp,
        next: Option<Timestamp>,
        run: NewRun,
    },
    /// Those of which there is none yet.
    Begin(Vec<NewRun>),
    /// Its session is there.
    Start {
        number: i64,
        at: Timestamp,
    },
    /// It is looked at again then.
    Postpone {
        number: i64,
        due: Timestamp,
        why: String,
    },
    /// Unless it has ended; then it has failed so often in a row.
    Settle {
        number: i64,
        how: Settled,
        failures: u32,
        paused: Option<Paused>,
    },
}

impl AutomationChange {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Add(row) => row.body.len() + 256,
            Self::Begin(runs) => runs.iter().map(|run| run.cause.len() + 128).sum(),
            Self::Pause { .. }
            | Self::Resume { .. }
            | Self::PutRight { .. }
            | Self::Remove { .. }
            | Self::Fire { .. }
            | Self::Start { .. }
            | Self::Postpone { .. }
            | Self::Settle { .. } => 256,
        }
    }
}

impl Store {
    /// Gives how many rows are new or other than before.
    pub async fn change_automation(&self, change: AutomationChange) -> Result<usize, WriteError> {
        self.ask(|reply| Job::Record(Record::Automation { change: Box::new(change), reply })).await
    }

    /// All of them, by name.
    pub async fn automations(&self) -> Result<Vec<AutomationRow>, ReadError> {
        self.read_rows(reading::all).await
    }

    pub async fn automation(&self, id: &str) -> Result<Option<AutomationRow>, ReadError> {
        let id = id.to_owned();
        self.read_rows(move |connection| reading::one(connection, &id)).await
    }

    /// Those that wait for what happens in this repository, `owner/name` in lower case.
    pub async fn automations_of(&self, forge: &str) -> Result<Vec<AutomationRow>, ReadError> {
        let forge = forge.to_owned();
        self.read_rows(move |connection| reading::of_forge(connection, &forge)).await
    }

    /// Those that the clock has reached, the longest ago first.
    pub async fn automations_due(&self, now: Timestamp) -> Result<Vec<AutomationRow>, ReadError> {
        self.read_rows(move |connection| reading::due(connection, now)).await
    }

    /// Those that the clock has yet to reach, the farthest first.
    pub async fn automations_to_come(&self, now: Timestamp) -> Result<Vec<AutomationRow>, ReadError> {
        self.read_rows(move |connection| reading::to_come(connection, now)).await
    }

    /// When the next is due, an automation or a run that is put off, that is not due at `now`.
    pub async fn next_automation_due(&self, now: Timestamp) -> Result<Option<Timestamp>, ReadError> {
        self.read_rows(move |connection| reading::next_due(connection, now)).await
    }

    /// Runs that have not ended, the oldest first.
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>, ReadError> {
        self.read_rows(reading::open).await
    }

    /// What came of the last times, the newest first.
    pub async fn runs(&self, automation: &str, limit: usize) -> Result<Vec<RunRow>, ReadError> {
        let automation = automation.to_owned();
        self.read_rows(move |connection| reading::runs(connection, &automation, limit)).await
    }
}
