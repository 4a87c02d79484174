//! What a session is: what people want of it, and what was observed. Everything here follows from the log.

pub(super) use super::asking::Open;
pub(super) use super::check::Checks;
pub(super) use super::checkpoint::{Checkpoint, Keeping, Restoring};
pub(super) use super::family::Family;
use super::going_on::Guarded;
use super::guards::GuardCounts;
use super::view::{Cost, Merged, QueuedPrompt, TurnCommit};
use crate::agent::{AgentInput, Model, Opened};
use crate::artifact::KeptArtifact;
use crate::event::{Contact, Guard, Memory, Outcome};
use crate::spec::{AttemptTaken, SessionSpec};
use crate::transcript::Tokens;
use crate::{
    Attachment, BudgetOf, Enforced, Failure, Generation, PromptId, PullRequest, Seq, Timestamp, TurnNumber,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// One session's state. Made by applying its log from the first entry; see the module for the machine that moves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Shared, as all that is long and seldom changes: a state is copied with every decision.
    pub(super) spec: Arc<SessionSpec>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) last_seq: Seq,

    /// Who has ended it.
    pub(super) ended_by: Option<String>,
    /// Of several attempts, the one that a person has taken.
    pub(super) taken: Option<AttemptTaken>,
    pub(super) family: Family,
    /// Lists leave it out.
    pub(super) archived: bool,
    pub(super) model: Option<String>,
    pub(super) prompts: VecDeque<Arc<QueuedPrompt>>,
    /// After a failed turn the queue waits until a person says something.
    pub(super) held: bool,

    pub(super) generation: Generation,
    /// The newest sandbox that was there, and so the last that had the files; 0 before the first.
    pub(super) made: Generation,
    pub(super) sandbox: Sandbox,
    /// Of waiting for a sandbox; 0 is usual.
    pub(super) priority: i8,
    /// Pauses so far.
    pub(super) pauses: u32,
    /// Pausing this generation was tried, and cannot be done.
    pub(super) cannot_pause: bool,
    /// People were told that the sandbox is about to be given back.
    pub(super) release_announced: bool,
    /// When there last was something to do, or a person did something.
    pub(super) busy_at: Timestamp,
    /// What keeps, or kept, the newest sandbox in.
    pub(super) enforced: Option<Enforced>,
    /// Sandboxes that are owed their destruction.
    pub(super) released: BTreeMap<Generation, Released>,
    /// The newest sandbox that is gone but for its files: the next one finds them, and the session's end removes them.
    pub(super) kept: Option<Kept>,
    pub(super) base_commit: Option<String>,

    /// Oldest first.
    pub(super) checkpoints: Arc<Vec<Checkpoint>>,
    /// Of the last one asked for.
    pub(super) checkpoint_number: u32,
    /// Being made.
    pub(super) keeping: Option<Keeping>,
    /// The last one could not be made in this generation.
    pub(super) cannot_keep: bool,
    /// Something may have changed the files since a checkpoint was last asked for.
    pub(super) touched: bool,
    /// When a checkpoint was last asked for, or the sandbox was made.
    pub(super) kept_at: Timestamp,
    /// Restores so far.
    pub(super) restores: u32,
    /// What the files are to become before anything else.
    pub(super) restoring: Option<Restoring>,

    pub(super) run: u32,
    pub(super) agent: Agent,
    /// Bytes of the current process's standard output that the log accounts for.
    pub(super) read: u64,
    /// Messages to the current process that may not have been written yet, oldest first.
    pub(super) inputs: VecDeque<NumberedInput>,
    pub(super) next_input: u64,
    pub(super) agent_session: Option<String>,
    pub(super) models: Arc<Vec<Model>>,
    /// The model that the agent said it works with, where nobody chose one.
    pub(super) agent_model: Option<String>,
    /// Whether the agent takes images with a prompt.
    pub(super) takes_images: bool,

    pub(super) turn_number: TurnNumber,
    pub(super) turn: Option<Turn>,
    pub(super) last_turn: Option<LastTurn>,
    /// An ended turn whose work is not in a commit yet.
    pub(super) uncommitted: Option<Uncommitted>,
    /// Everybody who asked for a turn, changed what was asked, answered a question of the agent's, or worked in the sandbox by hand.
    pub(super) worked_by: Arc<BTreeSet<String>>,
    /// What was said so far, for an agent that has lost its memory.
    pub(super) history: VecDeque<Arc<Exchange>>,

    pub(super) commits: Arc<Vec<TurnCommit>>,
    /// The commit that the files have to become before anything else is done in them: somebody else put it on the branch.
    pub(super) behind: Option<String>,
    pub(super) checks: Checks,
    pub(super) artifacts: Arc<Vec<KeptArtifact>>,
    pub(super) merged: Option<Merged>,
    pub(super) pull_request: Option<PullRequest>,
    pub(super) tokens: Tokens,
    pub(super) cost: Cost,
    pub(super) guarded: Guarded,
    pub(super) budget_micros: u64,
    /// People were told that most of it is spent.
    pub(super) budget_neared: bool,
    /// The same of budgets that others share: of how much, and until when.
    pub(super) months_neared: BTreeMap<BudgetOf, (u64, Timestamp)>,
    /// Hosts that were asked for, each once with each kind of answer.
    pub(super) contacts: Arc<Vec<Contact>>,
}

/// What those who do the effects have to know.
impl Session {
    pub fn spec(&self) -> &SessionSpec {
        &self.spec
    }

    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The number of the agent process that is, or was last, the current one.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Bytes of that process's standard output that the log accounts for.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Messages to that process that may not have been written yet, oldest first.
    pub fn inputs(&self) -> impl Iterator<Item = &NumberedInput> {
        self.inputs.iter()
    }

    /// The turn that runs, or the last one.
    pub fn turn_number(&self) -> TurnNumber {
        self.turn_number
    }

    /// Whether the agent is loading a conversation: what it sends then is the past, told again.
    pub fn is_loading(&self) -> bool {
        matches!(
            self.agent,
            Agent::Starting { step: Step::Open(crate::event::Memory::Loaded), opened: None, .. }
        )
    }

    /// Hosts that were asked for, in the order of the first time.
    pub fn contacts(&self) -> &Arc<Vec<Contact>> {
        &self.contacts
    }

    pub fn ended(&self) -> bool {
        self.ended_by.is_some()
    }

    pub fn ended_by(&self) -> Option<&str> {
        self.ended_by.as_deref()
    }

    /// When the turn whose work is to be committed ended; its commit carries this moment, so that making it again makes the
    /// same commit.
    pub fn work_ended_at(&self) -> Option<Timestamp> {
        self.uncommitted.as_ref().map(|work| work.ended_at)
    }

    pub fn commits(&self) -> &[TurnCommit] {
        &self.commits
    }

    /// The commit that the session's branch starts from, once a sandbox has been prepared.
    pub fn base_commit(&self) -> Option<&str> {
        self.base_commit.as_deref()
    }

    /// The prompt of the turn that runs or ran last, for its commit's message.
    pub fn last_prompt(&self) -> Option<&str> {
        self.turn
            .as_ref()
            .map(|turn| turn.text.as_str())
            .or_else(|| self.history.back().map(|last| last.prompt.as_str()))
    }
}

/// The current sandbox. There is at most one; older ones are `released`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sandbox {
    None,
    /// One is wanted, and there is no room for it. Only while there is something to do.
    Queued {
        since: Timestamp,
        attempt: u32,
    },
    Requested {
        since: Timestamp,
        attempt: u32,
    },
    /// It runs; the repository is not in it yet.
    Created {
        handle: String,
        since: Timestamp,
        attempt: u32,
    },
    Ready {
        handle: String,
    },
    /// It stands still, or is on its way there.
    Paused {
        handle: String,
        /// The n-th pause of this session: what is reported of another is stale.
        pause: u32,
        since: Timestamp,
        /// The provider has said so.
        still: bool,
        why: Pause,
    },
    /// Making one failed in a way that goes away; the next attempt is due at `until`.
    BackingOff {
        until: Timestamp,
        attempt: u32,
    },
}

/// Why a sandbox is paused, or why it is not any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pause {
    /// Until there is something to do.
    Idle,
    /// Until a person says so.
    Person { by: String },
    /// It is to go on.
    Over { since: Timestamp },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Released {
    pub handle: Option<String>,
    pub keep_files: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub generation: Generation,
    pub handle: Option<String>,
}

/// The agent process of the current sandbox.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Agent {
    None,
    Starting {
        since: Timestamp,
        step: Step,
        opened: Option<Opened>,
    },
    Ready {
        agent_session: String,
        memory: Memory,
    },
    /// It is owed its end; `because` is kept for the exit's record.
    Ending {
        because: String,
    },
}

/// What a starting agent was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Initialize,
    Open(Memory),
    ChooseMode(Memory),
    ChooseModel(Memory),
}

#[derive(Debug, Clone, PartialEq)]
pub struct NumberedInput {
    pub n: u64,
    pub input: AgentInput,
}

/// The turn that runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turn {
    pub number: TurnNumber,
    pub prompt: PromptId,
    pub text: String,
    pub by: String,
    pub attachments: Vec<Attachment>,
    pub attempt: u32,
    pub started_at: Timestamp,
    pub last_word_at: Timestamp,
    pub counts: GuardCounts,
    pub cost: Cost,
    /// Requests that the agent made of us, for the bound on them.
    pub requests: u32,
    /// What it waits for an answer to, oldest first.
    pub open: Vec<Open>,
    /// The prompt went to an agent, so there may be work to commit.
    pub sent: bool,
    pub pushed: bool,
    /// Times that the agent was told to go on after a failure.
    pub retries: u32,
    pub state: TurnState,
    /// The end of what the agent said, for the history.
    pub answer: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TurnState {
    /// The prompt is with the agent.
    Sent,
    /// The sandbox was lost with the prompt in it; it is sent again when there is a new one.
    Interrupted,
    /// The prompt came back with a failure that goes away by itself; the agent is told to go on then.
    Retrying { until: Timestamp, failure: Failure },
    /// The agent was told to cancel; everything is killed when it has answered, or when its grace is over.
    Stopping { since: Timestamp, why: Why, answered: bool },
}

/// Why a turn is being stopped; becomes its outcome.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    Person { by: String },
    Guard { guard: Guard, detail: String },
}

impl From<Why> for Outcome {
    fn from(why: Why) -> Self {
        match why {
            Why::Person { by } => Self::Stopped { by },
            Why::Guard { guard, detail } => Self::Tripped { guard, detail },
        }
    }
}

/// How the last turn ended, for the phase.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LastTurn {
    pub outcome: Outcome,
    /// What it was asked, which can be asked again; not where some of its work was pushed.
    pub again: Option<QueuedPrompt>,
    pub steps: u32,
    pub cost: Cost,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    /// Its work could not be committed.
    pub not_committed: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Uncommitted {
    pub turn: TurnNumber,
    pub ended_at: Timestamp,
    pub attempt: u32,
    /// The next attempt is due then.
    pub not_before: Timestamp,
}

/// One prompt and the end of its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exchange {
    pub prompt: String,
    pub answer: String,
}

impl Sandbox {
    pub(super) fn attempt(&self) -> u32 {
        match self {
            Self::None | Self::Ready { .. } | Self::Paused { .. } => 1,
            Self::Requested { attempt, .. }
            | Self::Created { attempt, .. }
            | Self::Queued { attempt, .. }
            | Self::BackingOff { attempt, .. } => *attempt,
        }
    }
}

impl Step {
    pub(super) fn memory(self) -> Memory {
        match self {
            Self::Initialize => Memory::Fresh,
            Self::Open(memory) | Self::ChooseMode(memory) | Self::ChooseModel(memory) => memory,
        }
    }
}
