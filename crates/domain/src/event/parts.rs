//! What several events are made of.

use super::{Event, Guard};
use crate::agent::StopReason;
use crate::failure::Failure;
use crate::{BudgetOf, Seq, Timestamp, TurnNumber};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// How many kinds of events, and later forms of them, were ever written up to this version: it grows with each fixture. A server takes no
/// session that one with a greater number has had, since it may not know what is in its log.
pub const FORMAT: i64 = 100;

/// One entry of a session's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Contiguous from 1.
    pub seq: Seq,
    pub at: Timestamp,
    /// How many bytes of the agent process's standard output are accounted for by the log up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    pub event: Event,
}

/// A host that something inside asked for, and the answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Contact)]
pub struct Contact {
    /// A name, or an address that was asked for as such.
    pub host: String,
    pub port: u16,
    /// The address that stands for the name inside the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub known_as: Option<Ipv4Addr>,
    /// Why not; `None` when it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How much a new agent process knows of what went before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// There was nothing before.
    Fresh,
    /// The agent loaded its own conversation.
    Loaded,
    /// The agent could not load it, and gets a digest of the log with the next prompt.
    Digest,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Outcome {
    Completed { stop_reason: StopReason },
    Stopped { by: String },
    Tripped { guard: Guard, detail: String },
    Failed { failure: Failure },
}

/// Four fifths of a budget are spent; both in millionths of a dollar. `until` is when the month ends that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetNeared {
    pub spent_micros: u64,
    pub budget_micros: u64,
    #[serde(default, skip_serializing_if = "BudgetOf::is_session")]
    pub of: BudgetOf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The prompt came back with a failure that goes away by itself; the agent is told to go on at `due`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetryPlanned {
    pub turn: TurnNumber,
    pub retry: u32,
    pub due: Timestamp,
    pub failure: Failure,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Commit {
    /// Forty hexadecimal digits.
    pub id: String,
    pub files: u32,
    pub insertions: u32,
    pub deletions: u32,
}
