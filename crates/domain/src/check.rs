//! A repository's own checks: which there are, and what they said of a commit.

use crate::TurnNumber;
use crate::agent::ExitStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Commands that are run of one plan.
pub const MAX_CHECKS: usize = 10;
/// The end of what one command printed that is kept in the log; characters.
pub const SAID_CHARACTERS: usize = 2_000;

/// Which checks run by themselves when a turn is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckPolicy {
    #[default]
    Never,
    /// Those that the repository names.
    Named,
    /// Those, or where it names none, what is usual for the files that are in it.
    Detected,
}

impl CheckPolicy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    pub(crate) fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// What is run, in this order; each, whatever those before it said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct CheckPlan {
    /// Shell scripts, in the repository.
    pub commands: Vec<String>,
    /// The file that they were guessed from, such as `Cargo.toml`; `None` where the repository names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<String>,
    /// For all of them together.
    pub timeout_ms: u64,
}

/// What there is to run on a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToCheck {
    /// Nobody wants to know.
    Off,
    /// `why` is what is wrong with what the repository says of its checks.
    Nothing {
        why: Option<String>,
    },
    Plan(CheckPlan),
}

/// What one command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckedCommand {
    pub command: String,
    /// `None` when the time was over before it was.
    pub status: Option<ExitStatus>,
    pub ms: u64,
    /// The end of what it printed.
    pub said: String,
}

impl CheckedCommand {
    pub fn has_passed(&self) -> bool {
        self.status == Some(ExitStatus::Code { code: 0 })
    }

    /// Such as `exit 1`, for people.
    pub fn how(&self) -> String {
        match &self.status {
            Some(ExitStatus::Code { code }) => format!("exit {code}"),
            Some(ExitStatus::Signal { signal }) => format!("killed by signal {signal}"),
            None => "out of time".to_owned(),
        }
    }
}

/// What the checks say of a commit, all together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    Failed,
    /// Nothing is known of the commit.
    NotRun {
        why: String,
    },
    Stopped {
        by: String,
    },
}

/// How it stands with the checks of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub turn: TurnNumber,
    /// Forty hexadecimal digits.
    pub commit: String,
    #[serde(flatten)]
    pub state: CheckState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CheckState {
    Nothing {
        why: Option<String>,
    },
    /// `check` is the n-th time in the session.
    Running {
        check: u32,
        plan: CheckPlan,
    },
    Ended {
        check: u32,
        plan: CheckPlan,
        #[serde(flatten)]
        verdict: Verdict,
        commands: Vec<CheckedCommand>,
    },
}

impl Checked {
    /// The number of the checks whose end is known.
    pub fn ended(&self) -> Option<u32> {
        match &self.state {
            CheckState::Ended { check, .. } => Some(*check),
            CheckState::Nothing { .. } | CheckState::Running { .. } => None,
        }
    }

    /// Such as `` the repository's own checks passed at 1a2b3c4d ``, for people.
    pub fn in_words(&self) -> String {
        let commit = self.commit.get(..8).unwrap_or(&self.commit);
        let of = |plan: &CheckPlan| match &plan.detected {
            Some(file) => format!("checks (detected by {file})"),
            None => "the repository's own checks".to_owned(),
        };
        match &self.state {
            CheckState::Nothing { why: None } => "the repository names no checks".to_owned(),
            CheckState::Nothing { why: Some(why) } => format!("there are no checks: {why}"),
            CheckState::Running { plan, .. } => format!("{} run at {commit}", of(plan)),
            CheckState::Ended { plan, verdict, .. } => match verdict {
                Verdict::Passed => format!("{} passed at {commit}", of(plan)),
                Verdict::Failed => format!("{} failed at {commit}", of(plan)),
                Verdict::NotRun { why } => format!("{} did not run at {commit}: {why}", of(plan)),
                Verdict::Stopped { by } => format!("{} were stopped by {by} at {commit}", of(plan)),
            },
        }
    }
}
