//! What a session is made with. It never changes after creation, but for the model, which has events of its own.

use crate::check::CheckPolicy;
use crate::image::SessionImage;
use crate::network::Network;
use crate::permission::Policy;
use crate::{SandboxLimits, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who asked, and who authors the commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Person)]
pub struct Person {
    pub name: String,
    pub email: String,
}

/// What a session is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionSpec {
    /// One line for lists; the start of the first prompt when nobody gave one.
    pub title: String,
    /// Absolute path of a git repository on the control plane's machine.
    pub repository: String,
    /// The branch the work starts from and is merged into, such as `main`.
    pub base: String,
    /// `lamplight/<slug>-<id>`, or that of the pull request that it works on; the only branch this session can push.
    pub branch: String,
    /// Catalogue name of the agent, such as `opencode`.
    pub agent: String,
    /// The agent's own id of a model; `None` is the agent's default.
    pub model: Option<String>,
    /// The agent's own id of the mode it is to work in, from the catalogue; the sandbox is the boundary, so usually full access.
    pub mode: Option<String>,
    pub person: Person,
    pub limits: Limits,
    /// What its sandboxes may use. Missing in logs of the first release: all defaults.
    #[serde(default, skip_serializing_if = "SandboxLimits::is_default")]
    pub sandbox: SandboxLimits,
    pub permissions: Policy,
    /// Which checks run on what is committed. Missing in logs of before there were any.
    #[serde(default, skip_serializing_if = "CheckPolicy::is_never")]
    pub checks: CheckPolicy,
    /// What programs in the sandbox may connect to.
    #[serde(default, skip_serializing_if = "Network::is_none")]
    pub network: Network,
    /// What its sandboxes' files begin with; `None` is the machine that they run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<SessionImage>,
    /// Whose files it starts with, when it is a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Which of several it is that were given the same task, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
    /// Whose child it is: the session that began it comes last, before it the one that began that, up to the first of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<SessionId>,
}

impl SessionSpec {
    /// The session that this one is a child of.
    pub fn parent(&self) -> Option<&SessionId> {
        self.parents.last()
    }
}

/// Sessions that were given the same task, of which a person takes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Attempts)]
pub struct Attempts {
    /// Of this one among them, from 1.
    pub number: u32,
    /// All of them in their order, this one too. Together they are called by the id of the first.
    pub sessions: Vec<SessionId>,
}

impl Attempts {
    /// Whether that session is this one.
    pub fn is_this(&self, session: &SessionId) -> bool {
        self.number_of(session) == Some(self.number)
    }

    pub fn number_of(&self, session: &SessionId) -> Option<u32> {
        (1..).zip(&self.sessions).find_map(|(number, one)| (one == session).then_some(number))
    }
}

/// A person has taken one of several attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::AttemptTaken)]
pub struct AttemptTaken {
    pub session: SessionId,
    pub by: String,
}

/// A checkpoint of another session, from which one goes its own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Origin)]
pub struct Origin {
    pub session: SessionId,
    pub checkpoint: u32,
    /// The provider's name of the checkpoint.
    pub name: String,
    /// The commit that the files were on.
    pub commit: String,
    /// The agent's own name of the conversation in them; `None` when another agent goes on.
    pub agent_session: Option<String>,
}

/// Bounds of turns, of the session and of idleness. Every wait in a session takes its deadline from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Tool calls in one turn.
    pub steps: u32,
    /// Failures of the same tool without a success in between.
    pub failures_in_a_row: u32,
    /// The same tool with the same input, one after the other.
    pub identical_calls: u32,
    /// No word from the agent within a turn.
    pub silence_ms: u64,
    /// From the start of a turn to its end.
    pub wall_clock_ms: u64,
    /// A permission request without an answer is rejected after this, and a question is cancelled.
    pub permission_ms: u64,
    /// From asking for a sandbox to an agent that is ready for a prompt.
    pub start_ms: u64,
    /// From asking the agent to cancel to killing everything that it runs.
    pub cancel_grace_ms: u64,
    /// A turn that a person paused is stopped after this.
    pub paused_ms: u64,
    /// Without a turn for this long, everything in the sandbox is paused, in memory.
    pub pause_ms: u64,
    /// Without a turn for this long, the sandbox is given back and its files are kept.
    pub idle_ms: u64,
    /// So long before the sandbox is given back, people are told.
    pub idle_warning_ms: u64,
    /// Within a turn, files are kept when so much time has passed since they last were, between two tool calls; at the end of a turn
    /// they always are. 0 keeps none, ever.
    pub checkpoint_ms: u64,
    /// What all turns of a session together may cost, in millionths of a dollar by the price lists of the models' vendors; 0 is no bound.
    #[serde(skip_serializing_if = "is_none")]
    pub budget_micros: u64,
    /// What one turn may send to models and get from them, in tokens, what is cached included; 0 is no bound, and so for all that follow.
    #[serde(skip_serializing_if = "is_none")]
    pub turn_tokens: u64,
    /// What one turn may cost, in millionths of a dollar.
    #[serde(skip_serializing_if = "is_none")]
    pub turn_cost_micros: u64,
    /// Tool calls of all turns together.
    #[serde(skip_serializing_if = "is_none")]
    pub session_steps: u64,
    /// Tokens of all turns together.
    #[serde(skip_serializing_if = "is_none")]
    pub session_tokens: u64,
    /// All turns together, each from its start to its end, pauses not counted.
    #[serde(skip_serializing_if = "is_none")]
    pub session_wall_clock_ms: u64,
}

/// Most have none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_none(budget: &u64) -> bool {
    *budget == 0
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 25,
            failures_in_a_row: 3,
            identical_calls: 3,
            silence_ms: 10 * 60_000,
            wall_clock_ms: 2 * 60 * 60_000,
            permission_ms: 5 * 60_000,
            start_ms: 2 * 60_000,
            cancel_grace_ms: 2_000,
            paused_ms: 24 * 60 * 60_000,
            pause_ms: 5 * 60_000,
            idle_ms: 60 * 60_000,
            idle_warning_ms: 5 * 60_000,
            checkpoint_ms: 60_000,
            budget_micros: 0,
            turn_tokens: 0,
            turn_cost_micros: 0,
            session_steps: 0,
            session_tokens: 0,
            session_wall_clock_ms: 0,
        }
    }
}

/// Limits as somebody asks for them: what is `None` is as others say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SomeLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures_in_a_row: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identical_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_warning_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_cost_micros: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_steps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_wall_clock_ms: Option<u64>,
}

impl SomeLimits {
    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn over(&self, others: &Limits) -> Limits {
        Limits {
            steps: self.steps.unwrap_or(others.steps),
            failures_in_a_row: self.failures_in_a_row.unwrap_or(others.failures_in_a_row),
            identical_calls: self.identical_calls.unwrap_or(others.identical_calls),
            silence_ms: self.silence_ms.unwrap_or(others.silence_ms),
            wall_clock_ms: self.wall_clock_ms.unwrap_or(others.wall_clock_ms),
            permission_ms: self.permission_ms.unwrap_or(others.permission_ms),
            start_ms: self.start_ms.unwrap_or(others.start_ms),
            cancel_grace_ms: self.cancel_grace_ms.unwrap_or(others.cancel_grace_ms),
            paused_ms: self.paused_ms.unwrap_or(others.paused_ms),
            pause_ms: self.pause_ms.unwrap_or(others.pause_ms),
            idle_ms: self.idle_ms.unwrap_or(others.idle_ms),
            idle_warning_ms: self.idle_warning_ms.unwrap_or(others.idle_warning_ms),
            checkpoint_ms: self.checkpoint_ms.unwrap_or(others.checkpoint_ms),
            budget_micros: self.budget_micros.unwrap_or(others.budget_micros),
            turn_tokens: self.turn_tokens.unwrap_or(others.turn_tokens),
            turn_cost_micros: self.turn_cost_micros.unwrap_or(others.turn_cost_micros),
            session_steps: self.session_steps.unwrap_or(others.session_steps),
            session_tokens: self.session_tokens.unwrap_or(others.session_tokens),
            session_wall_clock_ms: self.session_wall_clock_ms.unwrap_or(others.session_wall_clock_ms),
        }
    }

    /// These, and where they say nothing, what `others` say.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            steps: self.steps.or(others.steps),
            failures_in_a_row: self.failures_in_a_row.or(others.failures_in_a_row),
            identical_calls: self.identical_calls.or(others.identical_calls),
            silence_ms: self.silence_ms.or(others.silence_ms),
            wall_clock_ms: self.wall_clock_ms.or(others.wall_clock_ms),
            permission_ms: self.permission_ms.or(others.permission_ms),
            start_ms: self.start_ms.or(others.start_ms),
            cancel_grace_ms: self.cancel_grace_ms.or(others.cancel_grace_ms),
            paused_ms: self.paused_ms.or(others.paused_ms),
            pause_ms: self.pause_ms.or(others.pause_ms),
            idle_ms: self.idle_ms.or(others.idle_ms),
            idle_warning_ms: self.idle_warning_ms.or(others.idle_warning_ms),
            checkpoint_ms: self.checkpoint_ms.or(others.checkpoint_ms),
            budget_micros: self.budget_micros.or(others.budget_micros),
            turn_tokens: self.turn_tokens.or(others.turn_tokens),
            turn_cost_micros: self.turn_cost_micros.or(others.turn_cost_micros),
            session_steps: self.session_steps.or(others.session_steps),
            session_tokens: self.session_tokens.or(others.session_tokens),
            session_wall_clock_ms: self.session_wall_clock_ms.or(others.session_wall_clock_ms),
        }
    }
}
