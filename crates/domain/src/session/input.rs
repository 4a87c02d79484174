//! What may happen to a session: commands, which may be refused, and reports, which are never refused and ignored when stale.

use crate::agent::{AgentReport, ExitStatus};
use crate::check::{CheckedCommand, ToCheck, Verdict};
use crate::event::{Commit, Contact};
use crate::question::Reply;
use crate::{
    Attachment, ChildBegun, ChildBounds, Enforced, Failure, Generation, MonthBudget, PromptId, PullRequest,
    Role, SessionId, SomeLimits, TurnNumber,
};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Command(Command),
    Report(Report),
}

/// What a person or a trigger wants. `by` is a name for people to read.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Prompt {
        prompt: PromptId,
        text: String,
        by: String,
        attachments: Vec<Attachment>,
    },
    /// What the last turn was asked is asked again, as this prompt, if that turn is a dead letter.
    Retry {
        prompt: PromptId,
        by: String,
    },
    /// Only while it waits.
    EditPrompt {
        prompt: PromptId,
        text: String,
        by: String,
    },
    RemovePrompt {
        prompt: PromptId,
        by: String,
    },
    /// What a guard keeps from going on goes on once; the guard then allows the same again, or as much as `at_most`.
    Continue {
        /// The turn that was ended, or after which nothing more may begin.
        turn: TurnNumber,
        prompt: PromptId,
        /// What is wanted of it; `None` is what was interrupted, else what waits.
        asked: Option<Asked>,
        by: String,
        role: Role,
        /// How far whoever asks might go in a session of their own.
        at_most: Box<SomeLimits>,
    },
    Stop {
        by: String,
    },
    /// Everything in the sandbox stands still, in the middle of a turn too, until it is resumed.
    Pause {
        by: String,
    },
    Resume {
        by: String,
    },
    /// Its sandbox is given back; its files stay, and the next prompt starts one with them.
    Release {
        by: String,
    },
    /// A person does something in the sandbox by hand. One that is paused goes on for it.
    UseSandbox {
        by: String,
    },
    /// The session's files become those of a checkpoint, and its conversation and commits what they were then.
    Restore {
        checkpoint: u32,
        by: String,
    },
    /// The branch, which ends at `head`, is to end at a commit that goes on from there and is in the repository already.
    UpdateBranch {
        head: String,
        commit: Commit,
        to_check: ToCheck,
        by: String,
    },
    /// `offered_elsewhere`: it may be had whatever the agent offers, which knows nothing of upstreams that the configuration names.
    ChooseModel {
        model: String,
        offered_elsewhere: bool,
        by: String,
    },
    /// From here on all turns together may cost so much, in millionths of a dollar; 0 is no bound.
    SetBudget {
        budget_micros: u64,
        by: String,
    },
    /// Of waiting for a sandbox.
    SetPriority {
        priority: i8,
        by: String,
    },
    /// `option` is `None` for "cancel".
    AnswerPermission {
        request: Value,
        option: Option<String>,
        by: String,
    },
    AnswerQuestion {
        request: Value,
        reply: Reply,
        by: String,
    },
    /// A session is to begin that is a child of this one; it is begun if this is taken.
    BeginChild {
        child: ChildBegun,
        bounds: ChildBounds,
    },
    /// A person takes this attempt, or another of those that this one is among; said to each of them.
    TakeAttempt {
        session: SessionId,
        by: String,
    },
    End {
        by: String,
    },
    /// Lists leave it out; nothing else changes. Also of one that has ended.
    Archive {
        by: String,
    },
    Unarchive {
        by: String,
    },
}

/// What a person wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub text: String,
    pub attachments: Vec<Attachment>,
}

/// What the world says. A report about a sandbox carries its generation, one about an agent process its run.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// Another session waits for a sandbox.
    PlaceWanted,
    SetupBegun {
        generation: Generation,
        command: String,
        timeout_ms: u64,
    },
    SetupEnded {
        generation: Generation,
        failure: Option<String>,
    },
    SandboxCreated {
        generation: Generation,
        handle: String,
        enforced: Option<Enforced>,
    },
    /// Creating or preparing it failed.
    SandboxFailed {
        generation: Generation,
        failure: Failure,
    },
    WorkspacePrepared {
        generation: Generation,
        base_commit: String,
    },
    SandboxPaused {
        generation: Generation,
        pause: u32,
    },
    PauseFailed {
        generation: Generation,
        pause: u32,
        detail: String,
    },
    SandboxResumed {
        generation: Generation,
        pause: u32,
    },
    SandboxLost {
        generation: Generation,
        detail: String,
    },
    CheckpointKept {
        checkpoint: u32,
        name: String,
    },
    /// It cannot be made, and trying again is no use.
    CheckpointFailed {
        checkpoint: u32,
        detail: String,
    },
    /// `restore` is the n-th that was asked for.
    FilesRestored {
        restore: u32,
    },
    RestoreFailed {
        restore: u32,
        detail: String,
    },
    /// With or without its files, as was owed.
    SandboxDestroyed {
        generation: Generation,
        keep_files: bool,
    },
    Agent {
        run: u32,
        report: Box<AgentReport>,
    },
    /// Nothing that this process or its children started runs any more.
    AgentExited {
        run: u32,
        status: Option<ExitStatus>,
        detail: String,
    },
    BranchPushed {
        run: u32,
        commit: String,
    },
    /// Something in the sandbox asked for a host.
    HostContacted {
        generation: Generation,
        contact: Contact,
    },
    WorkCommitted {
        turn: TurnNumber,
        commit: Option<Commit>,
        /// On that commit.
        to_check: ToCheck,
    },
    WorkNotCommitted {
        turn: TurnNumber,
        failure: Failure,
    },
    /// What the agent is told of a failure, it is told as `prompt`.
    ChecksEnded {
        check: u32,
        verdict: Verdict,
        commands: Vec<CheckedCommand>,
        prompt: PromptId,
    },
    WorkspaceUpdated {
        commit: String,
    },
    /// What is there by hand stands against it, or the commit is not there.
    WorkspaceNotUpdated {
        commit: String,
        detail: String,
    },
    BranchMerged {
        into: String,
        commit: String,
        by: String,
    },
    PullRequestPublished {
        pull_request: PullRequest,
        by: String,
    },
    /// A budget that others share stands like this; what the session asks of models is refused while it is spent.
    MonthBudget(MonthBudget),
    /// All that a child and its own children have cost so far.
    ChildSpent {
        session: SessionId,
        cost_micros: u64,
    },
    /// The session that this one is a child of has ended.
    ParentEnded {
        by: String,
    },
    /// Whoever is called so may not use the repository any more; nothing goes on that they asked for.
    RightLost {
        by: String,
        /// Of whom, and who says so.
        detail: String,
    },
    /// Time has passed, or the transcript has grown.
    Tick,
}
