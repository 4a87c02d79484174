//! `/sessions/{id}/pull-request`: how it stands on GitHub now, and what is done with it from here.

pub mod close;
pub mod ready;
pub mod show;
pub mod update;

use lamplight_engine::{PullRequestNow, PullRequestState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pull request as GitHub tells it at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullRequestStanding {
    pub number: u64,
    /// For people.
    pub url: String,
    pub state: Standing,
    /// Whether it can be merged into its base; `null` while GitHub finds out.
    pub mergeable: Option<bool>,
    /// It shows the session's newest commit.
    pub is_current: bool,
    /// What programs say of its newest commit; `null` where the server may not read it.
    pub checks: Option<CheckSums>,
    /// People whose last review approves.
    pub approved_by: Vec<String>,
    /// People whose last review wants changes.
    pub changes_wanted_by: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Draft,
    Open,
    Closed,
    Merged,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckSums {
    pub passed: u32,
    pub running: u32,
    /// By name.
    pub failed: Vec<String>,
}

impl From<PullRequestNow> for PullRequestStanding {
    fn from(now: PullRequestNow) -> Self {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let sums = CheckSums {
            passed: count(now.checks.passed),
            running: count(now.checks.running),
            failed: now.checks.failed,
        };
        Self {
            number: now.number,
            url: now.url,
            state: match now.state {
                PullRequestState::Draft => Standing::Draft,
                PullRequestState::Open => Standing::Open,
                PullRequestState::Closed => Standing::Closed,
                PullRequestState::Merged => Standing::Merged,
            },
            mergeable: now.mergeable,
            is_current: now.is_current,
            checks: now.checks.is_known.then_some(sums),
            approved_by: now.approved_by,
            changes_wanted_by: now.changes_wanted_by,
        }
    }
}
