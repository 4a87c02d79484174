//! Sessions that are begun by the clock, or by what happens on GitHub, for whoever wants it each time.
//!
//! ```text
//!  the clock reaches due_at ─┐
//!  GitHub tells of something ┼─▶ a run: waiting ─▶ running ─▶ done | failed
//!  a person asks for it ─────┘       │                         the third failure in a row pauses the automation
//!                                    └▶ skipped: the one before still runs, it is paused, or its owner may not any more
//! ```
//! A run is one row, under the name of what it is for and with the id of its session, written before there is a session: so however often the same
//! thing is told, by whichever server it is found, and wherever a crash falls, there is one session of it. What makes rows takes no part in what is
//! made of them (`firing`, `taking`), which takes no input: it compares the rows with what is so, on a timer and when told, and each step can be
//! taken again.
//!
//! A session of an automation is one of its owner's in everything: their rights, their places in the queue, their budgets, and the guards.

mod face;
mod firing;
mod happened;
mod making;
mod schedule;
mod taking;
#[cfg(test)]
mod tests;

pub use firing::{OwnerStanding, Owners};

use crate::error::CommandError;
use anyhow::Context as _;
use lamplight_domain::{Network, SessionId, Timestamp};
use lamplight_integrations::github::{Happened, Happening};
use lamplight_store::{AutomationRow, RunRow};
pub use lamplight_store::{Paused, RunState, Settled};
use schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that is to be done each time.
#[derive(Debug, Clone, PartialEq)]
pub struct Automation {
    pub id: String,
    pub name: String,
    pub owner: Owner,
    /// Absolute path.
    pub repository: String,
    /// `owner/name` on GitHub, in lower case, of one that waits for what happens there: its sessions begin with what is there.
    pub forge: Option<String>,
    pub task: Task,
    pub trigger: Trigger,
    pub created_at: Timestamp,
    /// When it runs next by the clock.
    pub next_at: Option<Timestamp>,
    pub paused: Option<Paused>,
    /// Runs in a row that came to nothing.
    pub failures: u32,
}

/// Who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `None` where nobody signs in.
    pub id: Option<String>,
    pub name: String,
}

/// What each of its sessions is asked for; what is `None` is as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub text: String,
    #[serde(default)]
    pub base: Option<String>,
    #[serde(default)]
    pub agent: Option<String>,
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub network: Option<Network>,
    /// Of each session, in millionths of a dollar.
    #[serde(default)]
    pub budget_micros: Option<u64>,
}

/// What it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// Five fields, as in crontab(5), by the clocks of this zone.
    Cron {
        expression: String,
        timezone: String,
    },
    Pushed {
        branch: String,
    },
    IssueOpened,
    IssueLabelled {
        label: String,
    },
    PullRequestOpened,
    /// Of a commit that is on this branch.
    ChecksFailed {
        branch: String,
    },
}

/// A new one, as asked for.
#[derive(Debug, Clone)]
pub struct NewAutomation {
    pub name: String,
    pub owner: Owner,
    pub repository: String,
    pub task: Task,
    pub trigger: Trigger,
}

/// One time, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub number: i64,
    pub at: Timestamp,
    pub cause: Cause,
    pub state: RunState,
    /// `None` where there is none, or none yet.
    pub session: Option<SessionId>,
}

/// Why there is a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The clock.
    Due,
    /// Somebody wanted it then.
    Asked {
        by: String,
    },
    Happened {
        happening: Happening,
    },
}

/// What of an automation is one text for the store.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    task: Task,
    trigger: Trigger,
}

impl Automation {
    fn read(row: AutomationRow) -> Result<Self, CommandError> {
        let body: Body =
            serde_json::from_str(&row.body).with_context(|| format!("read the automation {}", row.id))?;
        Ok(Self {
            id: row.id,
            name: row.name,
            owner: Owner { id: row.owner, name: row.owner_name },
            repository: row.repository,
            forge: row.forge,
            task: body.task,
            trigger: body.trigger,
            created_at: row.created_at,
            next_at: row.due_at,
            paused: row.paused,
            failures: row.failures,
        })
    }

    /// `None` where it is of a version that knows more: whoever looks at many does without it.
    fn readable(row: AutomationRow) -> Option<Self> {
        let id = row.id.clone();
        Self::read(row)
            .inspect_err(|error| tracing::warn!(automation.id = id, %error, "an automation is left out"))
            .ok()
    }

    fn row(&self) -> AutomationRow {
        let body = Body { task: self.task.clone(), trigger: self.trigger.clone() };
        AutomationRow {
            id: self.id.clone(),
            name: self.name.clone(),
            owner: self.owner.id.clone(),
            owner_name: self.owner.name.clone(),
            repository: self.repository.clone(),
            forge: self.forge.clone(),
            body: serde_json::to_string(&body).expect("a task is strings and numbers"),
            created_at: self.created_at,
            due_at: self.next_at,
            paused: self.paused.clone(),
            failures: self.failures,
        }
    }
}

impl Run {
    fn read(row: RunRow) -> Result<Self, CommandError> {
        let cause = serde_json::from_str(&row.cause)
            .with_context(|| format!("read the run {} of an automation", row.number))?;
        let session = row.started_at.map(|_| row.session);
        Ok(Self { number: row.number, at: row.at, cause, state: row.state, session })
    }
}

impl Trigger {
    /// Of one that the clock begins.
    fn schedule(&self) -> Result<Option<Schedule>, CommandError> {
        match self {
            Self::Cron { expression, timezone } => Schedule::parse(expression, timezone).map(Some),
            Self::Pushed { .. }
            | Self::IssueOpened
            | Self::IssueLabelled { .. }
            | Self::PullRequestOpened
            | Self::ChecksFailed { .. } => Ok(None),
        }
    }

    /// Whether it is what this waits for.
    fn waits_for(&self, happened: &Happened) -> bool {
        match (self, happened) {
            (Self::Pushed { branch }, Happened::Pushed { branch: of, .. })
            | (Self::ChecksFailed { branch }, Happened::ChecksFailed { branch: of, .. }) => branch == of,
            (Self::IssueLabelled { label }, Happened::IssueLabelled { label: of, .. }) => {
                label.eq_ignore_ascii_case(of)
            }
            (Self::IssueOpened, Happened::IssueOpened { .. })
            | (Self::PullRequestOpened, Happened::PullRequestOpened { .. }) => true,
            (
                Self::Cron { .. }
                | Self::Pushed { .. }
                | Self::IssueOpened
                | Self::IssueLabelled { .. }
                | Self::PullRequestOpened
                | Self::ChecksFailed { .. },
                Happened::Pushed { .. }
                | Happened::IssueOpened { .. }
                | Happened::IssueLabelled { .. }
                | Happened::PullRequestOpened { .. }
                | Happened::ChecksFailed { .. },
            ) => false,
        }
    }

    /// Whether only a webhook tells of it.
    fn has_to_be_told(&self) -> bool {
        match self {
            Self::Pushed { .. } | Self::ChecksFailed { .. } => true,
            Self::Cron { .. } | Self::IssueOpened | Self::IssueLabelled { .. } | Self::PullRequestOpened => {
                false
            }
        }
    }

    /// The branch that it is about.
    fn branch(&self) -> Option<&str> {
        match self {
            Self::Pushed { branch } | Self::ChecksFailed { branch } => Some(branch),
            Self::Cron { .. } | Self::IssueOpened | Self::IssueLabelled { .. } | Self::PullRequestOpened => {
                None
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let happening = match self {
            Self::Due => return f.write_str("it was time"),
            Self::Asked { by } => return write!(f, "{by} asked for it"),
            Self::Happened { happening } => happening,
        };
        let by = happening.by.as_ref().map_or("somebody", |by| by.login.as_str());
        match &happening.what {
            Happened::Pushed { branch, commit, .. } => write!(f, "{by} pushed {commit:.10} to {branch}"),
            Happened::IssueOpened { number } => write!(f, "{by} opened issue #{number}"),
            Happened::IssueLabelled { number, label, .. } => {
                write!(f, "{by} put the label {label} on issue #{number}")
            }
            Happened::PullRequestOpened { number } => write!(f, "{by} opened pull request #{number}"),
            Happened::ChecksFailed { branch, commit } => {
                write!(f, "checks of {commit:.10} on {branch} failed")
            }
        }
    }
}
