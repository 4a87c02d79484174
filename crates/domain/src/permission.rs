//! What an agent asks leave for, and who answers. Nothing waits for ever: a policy answers, or a person, or a deadline.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How requests are answered when nobody is asked, or nobody answers in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Unattended work: the sandbox is the boundary, so everything inside it is allowed.
    #[default]
    Allow,
    /// Everything is rejected.
    Reject,
    /// A person is asked, and the agent is told that it may ask questions too. What nobody answers before the deadline is
    /// rejected, and a question cancelled.
    Ask,
}

/// What choosing an option means. Source: ACP v1 `PermissionOptionKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptionKind {
    AllowOnce,
    AllowAlways,
    RejectOnce,
    RejectAlways,
}

/// One of the answers that the agent offers. Chosen by kind, never by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::PermissionOption)]
pub struct PermissionOption {
    pub id: String,
    pub name: String,
    pub kind: OptionKind,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Selected { option: String },
    Cancelled,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum AnsweredBy {
    Policy,
    Person {
        name: String,
    },
    Deadline,
    /// The turn was being stopped.
    Stop,
}

/// What the policy says at once; `None` when a person is to be asked.
pub fn at_once(policy: Policy, options: &[PermissionOption]) -> Option<Answer> {
    match policy {
        Policy::Allow => Some(choose(options, &[OptionKind::AllowOnce, OptionKind::AllowAlways])),
        Policy::Reject => Some(reject(options)),
        Policy::Ask => None,
    }
}

/// The mildest refusal on offer, or a cancellation where the agent offers none.
pub fn reject(options: &[PermissionOption]) -> Answer {
    choose(options, &[OptionKind::RejectOnce, OptionKind::RejectAlways])
}

fn choose(options: &[PermissionOption], preferred: &[OptionKind]) -> Answer {
    preferred
        .iter()
        .find_map(|kind| options.iter().find(|option| option.kind == *kind))
        .map_or(Answer::Cancelled, |option| Answer::Selected { option: option.id.clone() })
}
