//! The log. An event is a fact, in the past tense; everything shown anywhere is derived from a session's events.

mod guard;
mod parts;
mod settling;

pub use guard::{Guard, GuardTripped, RaisedGuard, TurnContinued};
pub use parts::{BudgetNeared, Commit, Contact, Entry, FORMAT, Memory, Outcome, RetryPlanned};

use crate::agent::{AgentInput, ExitStatus, Opened};
use crate::artifact::Artifact;
use crate::permission::{Answer, AnsweredBy, PermissionOption};
use crate::transcript::{PlanEntry, Tokens, ToolCall};
use crate::{
    Attachment, AttemptTaken, CheckPlan, CheckedCommand, ChildBegun, ChildSpent, Enforced, Failure,
    Generation, ParentEnded, PromptId, PullRequest, QuestionAnswered, QuestionAsked, SessionSpec, Timestamp,
    TurnNumber, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A recorded fact. Adding a variant needs a frozen fixture in `fixtures/events`; none is ever removed or changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    // What people want.
    SessionCreated {
        spec: Box<SessionSpec>,
    },
    PromptQueued {
        prompt: PromptId,
        text: String,
        by: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
        /// A turn of this came to nothing, and somebody wants it tried again: it goes before what waits.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A prompt that waits says this from here on.
    PromptEdited {
        prompt: PromptId,
        text: String,
        by: String,
    },
    PromptRemoved {
        prompt: PromptId,
        by: String,
    },
    StopRequested {
        turn: TurnNumber,
        by: String,
    },
    ModelChosen {
        model: String,
        by: String,
    },
    /// A shell of a person's own, in the sandbox.
    TerminalOpened {
        by: String,
    },
    /// A person works in the sandbox by hand. Not every time: often enough that it is not taken for idle.
    SandboxUsed {
        by: String,
    },
    /// What all turns together may cost from here on, in millionths of a dollar; 0 is no bound.
    BudgetSet {
        budget_micros: u64,
        by: String,
    },
    /// It is one of several attempts, and a person has taken one of them: every other stops and ends.
    AttemptTaken(AttemptTaken),
    /// A child of it is about to begin.
    ChildBegun(ChildBegun),
    ChildSpent(ChildSpent),
    ParentEnded(ParentEnded),
    SessionEnded {
        by: String,
    },
    /// Lists leave it out until somebody puts it back or says something to it.
    SessionArchived {
        by: String,
    },
    SessionUnarchived {
        by: String,
    },
    /// From here on it waits for a sandbox as if it had waited longer (or, below 0, less long).
    PrioritySet {
        priority: i8,
        by: String,
    },
    // The sandbox.
    /// One is wanted, and there is no room for it.
    SandboxQueued {
        attempt: u32,
    },
    SandboxRequested {
        generation: Generation,
        attempt: u32,
    },
    /// The repository's own setup runs, or is waited for; the start may take so much longer.
    SetupBegun {
        generation: Generation,
        command: String,
        timeout_ms: u64,
    },
    /// `failure` is why the session starts without what the setup would have made.
    SetupEnded {
        generation: Generation,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    SandboxCreated {
        generation: Generation,
        handle: String,
        /// What really keeps it in; missing in logs of the first release.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enforced: Option<Enforced>,
    },
    WorkspacePrepared {
        generation: Generation,
        base_commit: String,
    },
    SandboxFailed {
        generation: Generation,
        attempt: u32,
        failure: Failure,
    },
    SandboxLost {
        generation: Generation,
        detail: String,
    },
    /// From here on it is owed that everything in this sandbox stands still; `by` is nobody when it was idle.
    PauseRequested {
        generation: Generation,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Everything in it stands still, in memory.
    SandboxPaused {
        generation: Generation,
    },
    /// It cannot be paused; it goes on as it was.
    PauseFailed {
        generation: Generation,
        detail: String,
    },
    /// From here on it is owed that it goes on; `by` is nobody when there is something to do.
    ResumeRequested {
        generation: Generation,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    SandboxResumed {
        generation: Generation,
    },
    /// It is to be released at `at`, unless something is asked of the session before.
    ReleaseAnnounced {
        generation: Generation,
        at: Timestamp,
    },
    /// From here on it is owed that this sandbox is destroyed.
    SandboxReleased {
        generation: Generation,
        keep_files: bool,
        reason: String,
    },
    SandboxDestroyed {
        generation: Generation,
    },
    // What its files were.
    /// From here on it is owed that the session's files are kept as they are, as its n-th checkpoint.
    CheckpointRequested {
        generation: Generation,
        checkpoint: u32,
    },
    /// `name` is the provider's.
    CheckpointKept {
        checkpoint: u32,
        name: String,
    },
    CheckpointFailed {
        checkpoint: u32,
        detail: String,
    },
    /// From here on it is owed that the session's files become what they were.
    RestoreRequested {
        checkpoint: u32,
        by: String,
    },
    /// The files are those of the checkpoint: of this session, or at first of the one that it is a fork of.
    FilesRestored {
        checkpoint: u32,
    },
    /// They are what they were before it was asked, or, where whoever does it was only late, those of the checkpoint.
    RestoreFailed {
        checkpoint: u32,
        detail: String,
    },
    // The agent process; `run` is the n-th in this session, and names the process for the guest.
    AgentRequested {
        generation: Generation,
        run: u32,
    },
    AgentInitialized {
        run: u32,
        can_load: bool,
        /// Whether prompts may hold images.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        takes_images: bool,
    },
    AgentOpened {
        run: u32,
        opened: Box<Opened>,
        memory: Memory,
    },
    AgentReady {
        run: u32,
    },
    /// It cannot be worked with any more; from here on it is owed that nothing of it runs.
    AgentBroken {
        run: u32,
        detail: String,
    },
    AgentExited {
        run: u32,
        status: Option<ExitStatus>,
        detail: String,
    },
    /// The n-th message to this process's standard input, from 1.
    InputQueued {
        run: u32,
        n: u64,
        input: AgentInput,
    },
    // The turn.
    TurnStarted {
        turn: TurnNumber,
        prompt: PromptId,
        attempt: u32,
    },
    PermissionAsked {
        turn: TurnNumber,
        request: Value,
        call: Box<ToolCall>,
        options: Vec<PermissionOption>,
        deadline: Timestamp,
    },
    PermissionAnswered {
        request: Value,
        answer: Answer,
        by: AnsweredBy,
    },
    QuestionAsked(QuestionAsked),
    QuestionAnswered(QuestionAnswered),
    RetryPlanned(RetryPlanned),
    /// The agent was told to go on.
    PromptRetried {
        turn: TurnNumber,
        retry: u32,
    },
    /// The agent answered that it has cancelled; what it left running is killed.
    CancelAnswered {
        turn: TurnNumber,
    },
    BudgetNeared(BudgetNeared),
    GuardTripped(GuardTripped),
    /// A person let it go on once past what had ended this turn.
    TurnContinued(TurnContinued),
    TurnEnded {
        turn: TurnNumber,
        outcome: Outcome,
    },
    /// The agent itself pushed the session's branch in this turn.
    BranchPushed {
        turn: TurnNumber,
        commit: String,
    },
    /// `commit` is `None` when the turn changed nothing.
    WorkCommitted {
        turn: TurnNumber,
        commit: Option<Commit>,
    },
    WorkNotCommitted {
        turn: TurnNumber,
        failure: Failure,
    },
    /// The repository names no checks, and none are usual for what is in it; or what it says of them is wrong.
    NothingToCheck {
        turn: TurnNumber,
        commit: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// From here on it is owed that the repository's own checks run on this commit; `check` is the n-th time in this session.
    ChecksRequested {
        check: u32,
        turn: TurnNumber,
        commit: String,
        plan: CheckPlan,
    },
    /// The agent is told of a failure as `prompt`.
    ChecksEnded {
        check: u32,
        #[serde(flatten)]
        verdict: Verdict,
        commands: Vec<CheckedCommand>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<PromptId>,
    },
    /// Files that the agent offers as results, as they were at the end of this turn: those that are new or not what they were.
    ArtifactsKept {
        turn: TurnNumber,
        artifacts: Vec<Artifact>,
    },
    /// The branch now is this commit: what was on it where it is published, and its base, were merged into it.
    BranchUpdated {
        turn: TurnNumber,
        commit: Commit,
        by: String,
    },
    /// The session's files are those of this commit, and what nobody has committed.
    WorkspaceUpdated {
        commit: String,
    },
    BranchMerged {
        into: String,
        commit: String,
        by: String,
    },
    /// The branch was pushed to where its repository comes from, and this pull request shows it.
    PullRequestPublished {
        pull_request: PullRequest,
        by: String,
    },
    // The transcript.
    AgentSpoke {
        turn: TurnNumber,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    AgentThought {
        turn: TurnNumber,
        text: String,
    },
    ToolCalled {
        turn: TurnNumber,
        call: Box<ToolCall>,
    },
    PlanChanged {
        turn: TurnNumber,
        entries: Vec<PlanEntry>,
    },
    /// Context window use as the agent tells it; both are tokens.
    ContextMeasured {
        turn: TurnNumber,
        used: u64,
        size: u64,
    },
    /// What one model request cost, as read on its way through the gateway.
    TokensUsed {
        turn: TurnNumber,
        model: String,
        tokens: Tokens,
        /// In millionths of a dollar; missing where no price is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_micros: Option<u64>,
        /// By which list of prices that is, and behind a plus sign by which edition of ours of reading it: `genai-prices 0.2.1+1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        priced_by: Option<String>,
        /// The answer broke off or did not say all that it used, so that this is in part made from what was seen of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_estimated: bool,
        /// From the request to the end of its answer; missing in logs of before it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
    },
    /// Something inside asked for a host for the first time, or for the first time with this answer.
    HostContacted {
        turn: TurnNumber,
        #[serde(flatten)]
        contact: Contact,
    },
    /// A message of the agent that has no place of its own yet, unread.
    AgentSent {
        turn: TurnNumber,
        kind: String,
        raw: Value,
    },
    /// Standard error of the agent.
    AgentLogged {
        text: String,
    },
    /// A sentence of Lamplight's own to the people who watch.
    Noted {
        text: String,
    },
}
