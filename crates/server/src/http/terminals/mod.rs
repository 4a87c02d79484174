//! `/sessions/{id}/terminals`: shells of people in a session's sandbox.

pub mod close;
pub mod list;
pub mod open;
pub mod stream;

use super::problem::Problem;
use lamplight_domain::SessionId;
use lamplight_domain::agent::ExitStatus;
use lamplight_engine::TerminalInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A shell on a terminal of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terminal {
    pub id: String,
    /// Of a shell that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Of one that was ended by a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    pub running: bool,
}

/// Oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TerminalList {
    pub items: Vec<Terminal>,
}

impl From<TerminalInfo> for Terminal {
    fn from(info: TerminalInfo) -> Self {
        let (exit_code, signal) = ending(info.status);
        Self { id: info.id, exit_code, signal, running: info.status.is_none() }
    }
}

/// The exit code, or the signal.
fn ending(status: Option<ExitStatus>) -> (Option<i32>, Option<i32>) {
    match status {
        None => (None, None),
        Some(ExitStatus::Code { code }) => (Some(code), None),
        Some(ExitStatus::Signal { signal }) => (None, Some(signal)),
    }
}

/// The `{id}` of a path with more than one parameter.
fn session(id: &str) -> Result<SessionId, Problem> {
    id.parse().map_err(|_| Problem::session_not_found(id))
}
