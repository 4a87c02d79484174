//! What a repository's own checks say of a commit.

use lamplight_domain::{CheckState, Checked, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How it stands with the checks of the newest commit that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checks {
    pub turn: u32,
    pub commit: String,
    pub state: ChecksState,
    /// Why nothing ran or there is nothing, in one sentence.
    pub why: Option<String>,
    /// The file that the commands were guessed from; `null` where the repository names them.
    pub detected: Option<String>,
    /// In the order in which they run; at most 10.
    pub commands: Vec<CheckCommand>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChecksState {
    /// The repository names none.
    Nothing,
    Running,
    Passed,
    Failed,
    NotRun,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckCommand {
    pub command: String,
    /// Such as `exit 0` or `out of time`; `null` of what is not known.
    pub result: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: Option<u64>,
    /// The end of what it printed.
    pub said: Option<String>,
}

impl From<Checked> for Checks {
    fn from(Checked { turn, commit, state }: Checked) -> Self {
        let (state, why, plan, ran) = match state {
            CheckState::Nothing { why } => (ChecksState::Nothing, why, None, Vec::new()),
            CheckState::Running { plan, .. } => (ChecksState::Running, None, Some(plan), Vec::new()),
            CheckState::Ended { plan, verdict, commands, .. } => {
                let (state, why) = match verdict {
                    Verdict::Passed => (ChecksState::Passed, None),
                    Verdict::Failed => (ChecksState::Failed, None),
                    Verdict::NotRun { why } => (ChecksState::NotRun, Some(why)),
                    Verdict::Stopped { by } => (ChecksState::Stopped, Some(format!("{by} stopped them"))),
                };
                (state, why, Some(plan), commands)
            }
        };
        let detected = plan.as_ref().and_then(|plan| plan.detected.clone());
        let mut ran = ran.into_iter();
        let commands = plan.map(|plan| plan.commands).unwrap_or_default().into_iter().map(|command| {
            let ran = ran.next();
            CheckCommand {
                command,
                result: ran.as_ref().map(lamplight_domain::CheckedCommand::how),
                ms: ran.as_ref().map(|ran| ran.ms),
                said: ran.map(|ran| ran.said),
            }
        });
        let commands = commands.collect();
        Self { turn: turn.0, commit, state, why, detected, commands }
    }
}
