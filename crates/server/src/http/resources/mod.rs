//! Resources as the API shows them. They are the domain's views with moments in RFC 3339, kept apart from them so that
//! the contract changes only on purpose.

use super::attachments::Attachment;
use lamplight_domain::{Question, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

mod attempts;
mod checks;
mod family;
mod from_domain;
mod guards;
mod sandbox;

pub use attempts::{Attempts, TakenAttempt};
pub use checks::{CheckCommand, Checks, ChecksState};
pub use family::Family;
pub use guards::{GuardLimit, GuardPer, GuardState, TrippedGuard};
pub use sandbox::{Sandbox, SandboxTier, SandboxWall, Strength, WallState};

/// A moment: RFC 3339 in UTC with milliseconds, such as `2026-01-31T12:00:00.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let moment = jiff::Timestamp::from_millisecond(self.0.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{moment:.3}"))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp(moment.as_millisecond())))
    }
}

/// The one word for where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Queued,
    Starting,
    Planning,
    Executing,
    WaitingForYou,
    Stuck,
    Paused,
    Done,
    Failed,
}

impl Phase {
    /// The word itself, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Planning => "planning",
            Self::Executing => "executing",
            Self::WaitingForYou => "waiting_for_you",
            Self::Stuck => "stuck",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Tokens of the whole session; `cached` is the part of `input` that the model had cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cached: u64,
    /// The part of `input` that was written to the model's cache.
    pub cache_written: u64,
    /// The part of `output` that nobody is shown.
    pub reasoning: u64,
}

/// What models cost, by their vendors' price lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// Millionths of a dollar.
    pub micros: u64,
    /// Something was used whose price nobody knows, so that this is not all.
    pub is_partial: bool,
}

/// Who commits and commands are attributed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    pub name: String,
    pub email: String,
}

/// A model that the agent offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    pub id: String,
    pub name: String,
}

/// Everything about one session but its log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    #[schema(example = "01JD0000000000000000000000")]
    pub id: String,
    pub title: String,
    pub phase: Phase,
    /// Why it is stuck, failed, paused or waiting, in one sentence.
    pub reason: Option<String>,
    /// Absolute path of the repository on the server's machine.
    pub repository: String,
    pub base: String,
    pub branch: String,
    pub agent: String,
    /// `null` is the agent's default.
    pub model: Option<String>,
    pub models: Vec<Model>,
    pub person: Person,
    /// The last turn begun; 0 before the first.
    pub turn: u32,
    /// Tool calls of that turn.
    pub steps: u32,
    pub tokens: Tokens,
    /// Of the whole session.
    pub cost: Cost,
    /// Of that turn.
    pub turn_cost: Cost,
    /// What all turns together may cost, in millionths of a dollar; 0 is no bound.
    pub budget_micros: u64,
    /// How all guards stand that bound anything, as the policy was when the session was made; those of one turn first.
    pub guards: Vec<GuardState>,
    /// The guard that ended the last turn, or lets no other begin; `null` while it goes on.
    pub tripped: Option<TrippedGuard>,
    /// Working time of that turn up to `updated_at`, in milliseconds.
    pub elapsed_ms: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub turn_started_at: Option<Moment>,
    /// Prompts that wait for the end of the running turn, in order.
    pub queued: Vec<QueuedPrompt>,
    pub permission: Option<OpenPermission>,
    /// The oldest that is open.
    pub question: Option<OpenQuestion>,
    pub commits: Vec<TurnCommit>,
    /// The repository's own checks, of the newest commit that was checked; `null` where none was.
    pub checks: Option<Checks>,
    pub merged: Option<Merged>,
    pub pull_request: Option<PullRequest>,
    /// Moments that can be gone back to, or forked; oldest first, at most 20.
    pub checkpoints: Vec<Checkpoint>,
    /// What it is a fork of.
    pub origin: Option<Origin>,
    /// Sessions with the same task, which this one is among; `null` where it is alone.
    #[serde(default)]
    pub attempts: Option<Attempts>,
    #[serde(default)]
    pub family: Family,
    pub network: Network,
    /// What the files of its sandboxes begin with; `null` is the server's own machine.
    pub image: Option<Image>,
    /// Hosts that were asked for, each once with each kind of answer; at most 256.
    pub contacts: Vec<Contact>,
    pub sandbox_state: SandboxState,
    /// Of waiting for a sandbox: a step up is worth ten minutes; 0 is usual.
    pub priority: i8,
    /// Where it waits for a sandbox, from 1; `null` where it does not.
    pub queue_position: Option<u32>,
    /// How long that may still take.
    pub estimated_wait_seconds: Option<u64>,
    /// What keeps its newest sandbox in; `null` before there was one.
    pub sandbox: Option<Sandbox>,
    pub ended: bool,
    /// Lists leave it out.
    pub archived: bool,
    /// Its last turn failed although neither who asked nor the agent was at fault, and can be tried again.
    #[serde(default)]
    pub dead: bool,
    pub last_seq: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Moment,
}

/// Where a session's sandbox is. `paused`: everything in it stands still, kept in memory for as long as the machine is up.
/// `stopped`: its processes are gone and its files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    None,
    Starting,
    Running,
    Paused,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedPrompt {
    pub prompt: String,
    pub text: String,
    pub by: String,
    pub attachments: Vec<Attachment>,
}

/// A request of the agent that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenPermission {
    /// The agent's own id of the request, any JSON; sent back with the answer.
    pub request: Value,
    pub title: String,
    pub options: Vec<PermissionOption>,
    /// Rejected then, without an answer.
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Moment,
}

/// A question of the agent that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenQuestion {
    /// The agent's own id of the request, any JSON; sent back with the answer.
    pub request: Value,
    pub question: Question,
    /// Cancelled then, without an answer.
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionOption {
    pub id: String,
    pub name: String,
    pub kind: PermissionOptionKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionOptionKind {
    AllowOnce,
    AllowAlways,
    RejectOnce,
    RejectAlways,
}

/// What a turn left in the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnCommit {
    pub turn: u32,
    /// Forty hexadecimal digits.
    pub id: String,
    pub files: u32,
    pub insertions: u32,
    pub deletions: u32,
}

/// The session's files at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    pub checkpoint: u32,
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// After this turn, or in the middle of it.
    pub turn: u32,
    pub in_turn: bool,
    /// The last commit of the session then.
    pub commit: Option<String>,
}

/// The checkpoint of another session that a fork began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    pub session: String,
    pub checkpoint: u32,
}

/// Where the branch went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Merged {
    pub into: String,
    pub commit: String,
}

/// Where the branch is reviewed, as it was last published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullRequest {
    /// `owner/name`.
    pub repository: String,
    pub number: u64,
    /// For people.
    pub url: String,
    pub draft: bool,
    /// The commit that it shows.
    pub head: String,
}

/// What programs in the sandbox may connect to beside models and git. Addresses that are not public are reached by nobody, unless
/// the server's configuration names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Network {
    /// Every public host.
    Open,
    /// These hosts: names, `*.example.org` for all below one, addresses.
    Allowlist {
        hosts: Vec<String>,
    },
    None,
}

/// An image, as it was when the session was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    pub name: String,
    /// 64 hexadecimal digits, over all that is in it.
    pub digest: String,
}

/// A host that something in the sandbox asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// A name, or an address that was asked for as such.
    pub host: String,
    /// The first port that was asked for; 0 when only the name was.
    pub port: u16,
    /// Why not; `null` when it was reached.
    pub refused: Option<String>,
}

/// The line of a session in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionSummary {
    pub id: String,
    pub title: String,
    pub phase: Phase,
    pub reason: Option<String>,
    pub repository: String,
    pub branch: String,
    pub agent: String,
    pub model: Option<String>,
    pub turn: u32,
    pub steps: u32,
    pub tokens: Tokens,
    pub cost: Cost,
    pub elapsed_ms: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub turn_started_at: Option<Moment>,
    pub queued_count: u32,
    pub last_seq: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Moment,
    pub ended: bool,
    pub archived: bool,
    /// Its last turn failed although neither who asked nor the agent was at fault, and can be tried again.
    #[serde(default)]
    pub dead: bool,
    /// The name of whom it is for.
    pub person: String,
    /// Its sandbox lacks a wall that nothing should run without.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
    /// Where it waits for a sandbox, from 1; `null` where it does not.
    pub queue_position: Option<u32>,
    /// How long that may still take.
    pub estimated_wait_seconds: Option<u64>,
    /// Sessions with the same task, which this one is among; `null` where it is alone.
    pub attempts: Option<Attempts>,
    /// The session that it is a child of.
    pub parent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_with_milliseconds() {
        let check = |ms: i64, text: &str| {
            let moment = Moment(Timestamp(ms));
            assert_eq!(serde_json::to_string(&moment).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Moment>(&format!("\"{text}\"")).unwrap(), moment);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_763_700_000_120, "2025-11-21T04:40:00.120Z");
    }

    #[test]
    fn a_phase_has_one_word() {
        for phase in [Phase::Queued, Phase::WaitingForYou, Phase::Done] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
    }
}
