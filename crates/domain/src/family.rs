//! Sessions that are begun by sessions: what logs have of parents and children.

use crate::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A session is about to begin that is a child of this one; whether it came to that, its own log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::ChildBegun)]
pub struct ChildBegun {
    pub session: SessionId,
    /// Its branch, which its parent may read.
    pub branch: String,
    /// Who began it, or asked for the turn in which the agent did.
    pub by: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_agent: bool,
}

/// A child has spent something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::ChildSpent)]
pub struct ChildSpent {
    pub session: SessionId,
    /// All that it and its own children have cost so far, in millionths of a dollar.
    pub cost_micros: u64,
}

/// The session that this one is a child of has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::ParentEnded)]
pub struct ParentEnded {
    /// Who ended it.
    pub by: String,
}

/// How far sessions may be begun by sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildBounds {
    /// Generations below a session that a person began; 0 is no children.
    pub depth: u32,
    /// Children of one session in its life.
    pub number: u32,
}
