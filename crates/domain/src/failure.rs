//! What went wrong, in the two ways that change what is done about it: whose side, and whether trying again can help.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose fault it is: ours and the machine's, or the agent's. Told apart in status, logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Infrastructure,
    Agent,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Goes away by itself: tried again after 2 s, 4 s, 8 s, at most three times.
    Transient,
    /// Comes back if tried again unchanged.
    Persistent,
    /// Nothing further can be done in this session.
    Fatal,
    /// A person has to do something first; the message says what.
    NeedsYou,
}

/// A failure as people read it: one sentence, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub side: Side,
    pub class: FailureClass,
    pub message: String,
}

impl Failure {
    pub fn infrastructure(class: FailureClass, message: impl Into<String>) -> Self {
        Self { side: Side::Infrastructure, class, message: message.into() }
    }

    pub fn agent(class: FailureClass, message: impl Into<String>) -> Self {
        Self { side: Side::Agent, class, message: message.into() }
    }
}
