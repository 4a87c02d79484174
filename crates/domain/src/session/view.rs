//! What people see of a session: derived from its state, never stored as truth.

use crate::agent::Model;
use crate::artifact::KeptArtifact;
use crate::check::Checked;
use crate::event::{Commit, Contact, Guard, GuardTripped};
use crate::image::SessionImage;
use crate::network::Network;
use crate::permission::PermissionOption;
use crate::question::Question;
use crate::spec::{AttemptTaken, Attempts, Origin};
use crate::transcript::Tokens;
use crate::{Attachment, Enforced, Person, PromptId, PullRequest, Seq, SessionId, Timestamp, TurnNumber};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The one word for where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for a free slot.
    Queued,
    /// Sandbox, repository or agent are being made ready.
    Starting,
    /// The agent works and has called no tool yet.
    Planning,
    Executing,
    /// A permission request or a question waits for a person.
    WaitingForYou,
    /// A guard ended the turn.
    Stuck,
    /// A person stopped the turn.
    Paused,
    /// The last turn came to its end, and its work is committed.
    Done,
    Failed,
}

/// Where a session's sandbox is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// There is none: not yet, or not any more.
    #[default]
    None,
    Starting,
    Running,
    /// Everything in it stands still, kept in memory for as long as the machine is up.
    Paused,
    /// Its processes are gone and its files are kept; the agent loads its conversation when there is something to do.
    Stopped,
}

/// Everything about one session but its log. What is long is shared with the state that it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    pub id: SessionId,
    pub title: String,
    pub phase: Phase,
    /// One plain sentence where the phase needs one.
    pub reason: Option<String>,
    pub repository: String,
    pub base: String,
    pub branch: String,
    pub agent: String,
    pub model: Option<String>,
    pub models: Arc<Vec<Model>>,
    pub person: Person,
    /// By name, everybody who asked for a turn, changed what was asked, answered a question of the agent's, or worked in the sandbox by hand.
    #[serde(default)]
    pub worked_by: Arc<BTreeSet<String>>,
    /// The last turn begun; 0 before the first.
    pub turn: TurnNumber,
    /// Tool calls of that turn.
    pub steps: u32,
    /// Of the whole session.
    pub tokens: Tokens,
    /// Of the whole session.
    #[serde(default)]
    pub cost: Cost,
    /// Of that turn.
    #[serde(default)]
    pub turn_cost: Cost,
    /// What all turns together may cost, in millionths of a dollar; 0 is no bound.
    #[serde(default)]
    pub budget_micros: u64,
    /// How all guards stand that bound anything; those of one turn count nothing between turns.
    #[serde(default)]
    pub guards: Vec<GuardView>,
    /// What ended the last turn, or lets no other begin.
    #[serde(default)]
    pub tripped: Option<GuardTripped>,
    /// Working time of that turn, up to `updated_at` while it runs.
    pub elapsed_ms: u64,
    pub turn_started_at: Option<Timestamp>,
    /// Who asked for the turn that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_by: Option<String>,
    pub queued: Vec<Arc<QueuedPrompt>>,
    pub permission: Option<OpenPermission>,
    #[serde(default)]
    pub question: Option<OpenQuestion>,
    pub commits: Arc<Vec<TurnCommit>>,
    /// How it stands with the repository's own checks, of the newest commit that was checked.
    #[serde(default)]
    pub checked: Option<Checked>,
    /// What the agent has offered as results, each name once; the newest last.
    #[serde(default)]
    pub artifacts: Arc<Vec<KeptArtifact>>,
    pub merged: Option<Merged>,
    /// Where the branch is reviewed, as it was last published.
    #[serde(default)]
    pub pull_request: Option<PullRequest>,
    /// Moments that can be gone back to, or forked; oldest first.
    #[serde(default)]
    pub checkpoints: Vec<CheckpointView>,
    /// What it is a fork of.
    #[serde(default)]
    pub origin: Option<OriginView>,
    /// The attempts that it is one of.
    #[serde(default)]
    pub attempts: Option<AttemptsView>,
    /// Whose child it is, and whose parent.
    #[serde(default)]
    pub family: FamilyView,
    /// What programs inside may connect to.
    #[serde(default)]
    pub network: Network,
    /// What its sandboxes' files begin with; `None` is the machine that they run on.
    #[serde(default)]
    pub image: Option<SessionImage>,
    /// Hosts that were asked for, each once with each kind of answer.
    #[serde(default)]
    pub contacts: Arc<Vec<Contact>>,
    #[serde(default)]
    pub sandbox_state: SandboxState,
    /// Of waiting for a sandbox; 0 is usual.
    #[serde(default)]
    pub priority: i8,
    /// What keeps the newest sandbox in; `None` before there was one.
    #[serde(default)]
    pub enforced: Option<Enforced>,
    pub ended: bool,
    /// `None` also where that was not kept yet when it ended.
    #[serde(default)]
    pub ended_by: Option<String>,
    /// Lists leave it out.
    #[serde(default)]
    pub archived: bool,
    /// Its last turn failed although neither who asked nor the agent was at fault, and can be tried again.
    #[serde(default)]
    pub dead: bool,
    pub last_seq: Seq,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How one guard stands, in what it counts: tool calls, tokens, milliseconds or millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardView {
    pub guard: Guard,
    pub limit: u64,
    pub counted: u64,
    /// A person lets it go on past it, until the end of the turn.
    pub is_raised: bool,
}

/// What models cost, by their vendors' price lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Millionths of a dollar.
    pub micros: u64,
    /// Something was used whose price nobody knows, so that this is not all.
    pub is_partial: bool,
}

/// Millionths of a dollar, for people: `$1.20`, and what is less than a cent as `$0.0042`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match self.0 {
            1..10_000 => write!(f, "${dollars}.{:04}", rest.div_ceil(100)),
            _ => write!(f, "${dollars}.{:02}", rest / 10_000),
        }
    }
}

impl Cost {
    /// One more answer of a model; `None` is one whose price nobody knows.
    pub fn add(&mut self, micros: Option<u64>) {
        self.micros = self.micros.saturating_add(micros.unwrap_or(0));
        self.is_partial |= micros.is_none();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedPrompt {
    pub prompt: PromptId,
    pub text: String,
    pub by: String,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenPermission {
    /// The agent's own id of the request.
    pub request: Value,
    pub title: String,
    pub options: Vec<PermissionOption>,
    pub deadline: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The agent's own id of the request.
    pub request: Value,
    pub question: Question,
    pub deadline: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnCommit {
    pub turn: TurnNumber,
    #[serde(flatten)]
    pub commit: Commit,
}

/// The session's files at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointView {
    /// From 1, in the order in which they were asked for.
    pub checkpoint: u32,
    pub at: Timestamp,
    /// After this turn, or in the middle of it.
    pub turn: TurnNumber,
    pub in_turn: bool,
    /// The last commit of the session then; `None` before the first.
    pub commit: Option<String>,
}

/// The checkpoint that a fork began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginView {
    pub session: SessionId,
    pub checkpoint: u32,
}

/// Sessions that were given the same task, and which of them this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsView {
    #[serde(flatten)]
    pub of: Attempts,
    /// The one that a person has taken; every other has ended, or is about to.
    pub taken: Option<AttemptTaken>,
}

/// The sessions above a session, and those that it has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyView {
    /// The one that began it comes last.
    pub parents: Vec<SessionId>,
    /// In the order in which they were begun; some of them may have come to nothing.
    pub children: Arc<Vec<Child>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub session: SessionId,
    pub branch: String,
    /// What it and its own children have cost, as far as its parent was told; in millionths of a dollar.
    pub cost_micros: u64,
}

impl SessionView {
    /// The first of its family, which is nobody's child: where nobody is above it, itself.
    pub fn root(&self) -> &SessionId {
        self.family.parents.first().unwrap_or(&self.id)
    }

    /// Who has ended it, as far as that was kept; else whom it was for.
    pub fn who_ended(&self) -> Option<&str> {
        self.ended.then(|| self.ended_by.as_ref().unwrap_or(&self.person.name).as_str())
    }

    /// What it and its children may cost now, also where somebody lets it go on past its budget; in millionths of a dollar, 0 is no bound.
    pub fn bound_micros(&self) -> u64 {
        let bound = self.guards.iter().find(|view| view.guard == Guard::Budget);
        bound.map_or(self.budget_micros, |bound| bound.limit)
    }

    /// In millionths of a dollar, with its children, as far as it was told of theirs.
    pub fn cost_of_all(&self) -> u64 {
        let children = self.family.children.iter().map(|child| child.cost_micros);
        children.fold(self.cost.micros, u64::saturating_add)
    }
}

impl From<&Origin> for OriginView {
    fn from(origin: &Origin) -> Self {
        Self { session: origin.session.clone(), checkpoint: origin.checkpoint }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    pub into: String,
    pub commit: String,
}

/// The line of a session in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    pub id: SessionId,
    pub title: String,
    pub phase: Phase,
    pub reason: Option<String>,
    pub repository: String,
    pub branch: String,
    pub agent: String,
    pub model: Option<String>,
    pub turn: TurnNumber,
    pub steps: u32,
    pub tokens: Tokens,
    #[serde(default)]
    pub cost: Cost,
    pub elapsed_ms: u64,
    pub turn_started_at: Option<Timestamp>,
    pub queued_count: u32,
    pub last_seq: Seq,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended: bool,
    #[serde(default)]
    pub archived: bool,
    /// Its last turn failed although neither who asked nor the agent was at fault, and can be tried again.
    #[serde(default)]
    pub dead: bool,
    /// Who it is for, by name.
    #[serde(default)]
    pub person: String,
    /// Its sandbox lacks a wall that nothing should run without.
    #[serde(default)]
    pub is_unsafe: bool,
    /// The attempts that it is one of.
    #[serde(default)]
    pub attempts: Option<AttemptsView>,
    /// The session that it is a child of.
    #[serde(default)]
    pub parent: Option<SessionId>,
}

impl From<&SessionView> for SessionSummary {
    fn from(view: &SessionView) -> Self {
        Self {
            is_unsafe: view.enforced.as_ref().is_some_and(Enforced::is_unsafe),
            queued_count: u32::try_from(view.queued.len()).unwrap_or(u32::MAX),
            id: view.id.clone(),
            title: view.title.clone(),
            phase: view.phase,
            reason: view.reason.clone(),
            repository: view.repository.clone(),
            branch: view.branch.clone(),
            agent: view.agent.clone(),
            model: view.model.clone(),
            turn: view.turn,
            steps: view.steps,
            tokens: view.tokens,
            cost: view.cost,
            elapsed_ms: view.elapsed_ms,
            turn_started_at: view.turn_started_at,
            last_seq: view.last_seq,
            created_at: view.created_at,
            updated_at: view.updated_at,
            ended: view.ended,
            archived: view.archived,
            dead: view.dead,
            person: view.person.name.clone(),
            attempts: view.attempts.clone(),
            parent: view.family.parents.last().cloned(),
        }
    }
}
