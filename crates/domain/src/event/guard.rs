//! Guards, as the log names them: what ended a turn, and what a person let go on past it.

use crate::{PromptId, TurnNumber};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a guard watches. Each ends the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    Steps,
    FailuresInARow,
    IdenticalCalls,
    Silence,
    WallClock,
    /// Of one turn, to the model and from it.
    Tokens,
    /// Of one turn.
    Cost,
    /// Of all turns together, and so the next two.
    SessionSteps,
    SessionTokens,
    SessionWallClock,
    /// A person paused the turn, and nobody resumed it.
    Paused,
    /// All that the session may cost is spent.
    Budget,
    /// All that others may cost with it in this month is spent.
    MonthBudget,
    /// Whoever asked for it may not use the repository any more.
    Right,
}

impl Guard {
    /// Those that count something, in the order in which they are looked at.
    pub const COUNTING: [Self; 11] = [
        Self::Budget,
        Self::Cost,
        Self::SessionTokens,
        Self::Tokens,
        Self::SessionSteps,
        Self::Steps,
        Self::FailuresInARow,
        Self::IdenticalCalls,
        Self::SessionWallClock,
        Self::WallClock,
        Self::Silence,
    ];

    /// Stable, for programs: as in the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::FailuresInARow => "failures_in_a_row",
            Self::IdenticalCalls => "identical_calls",
            Self::Silence => "silence",
            Self::WallClock => "wall_clock",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
            Self::SessionSteps => "session_steps",
            Self::SessionTokens => "session_tokens",
            Self::SessionWallClock => "session_wall_clock",
            Self::Paused => "paused",
            Self::Budget => "budget",
            Self::MonthBudget => "month_budget",
            Self::Right => "right",
        }
    }

    /// Whether it counts all turns together: once it has tripped, no turn begins until somebody lets it.
    pub fn is_of_session(self) -> bool {
        match self {
            Self::SessionSteps | Self::SessionTokens | Self::SessionWallClock | Self::Budget => true,
            Self::Steps
            | Self::FailuresInARow
            | Self::IdenticalCalls
            | Self::Silence
            | Self::WallClock
            | Self::Tokens
            | Self::Cost
            | Self::Paused
            | Self::MonthBudget
            | Self::Right => false,
        }
    }

    /// Whether a person of the session can let it go on once: the others are not the session's own.
    pub fn can_be_continued(self) -> bool {
        !matches!(self, Self::MonthBudget | Self::Right)
    }

    /// What a person can do about it, after what tripped it.
    pub fn what_to_do(self) -> &'static str {
        match self {
            Self::Steps
            | Self::FailuresInARow
            | Self::IdenticalCalls
            | Self::Silence
            | Self::WallClock
            | Self::Tokens
            | Self::Cost
            | Self::Paused => "prompt to go on",
            Self::SessionSteps | Self::SessionTokens | Self::SessionWallClock => "continue it once to go on",
            Self::Budget => "raise it to go on",
            Self::MonthBudget => {
                "raise it in the configuration or wait for the next month, then prompt to go on"
            }
            Self::Right => "whoever may use it can prompt to go on",
        }
    }
}

/// A guard ended the turn. Both numbers are in what it counts: tool calls, tokens, milliseconds or millionths of a dollar; they are
/// missing where it counts nothing, and in logs of before they were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardTripped {
    pub turn: TurnNumber,
    pub guard: Guard,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
}

/// A person let it go on once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnContinued {
    /// The turn that a guard had ended.
    pub turn: TurnNumber,
    /// What these guards allow until the end of the turn of `prompt`, and not longer.
    pub raised: Vec<RaisedGuard>,
    /// What goes on: a prompt that goes before those that wait, or the first of them.
    pub prompt: PromptId,
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RaisedGuard {
    pub guard: Guard,
    /// In what it counts, with what was counted before.
    pub limit: u64,
}
