//! The session machine.
//!
//! ```text
//! input ─► decide ─► events ─► (appended to the log) ─► apply ─► state ─► owed ─► effects ─► reports ─► decide …
//! ```
//!
//! The happy path of a session:
//!
//! ```text
//! SessionCreated, PromptQueued
//!   SandboxRequested ─ SandboxCreated ─ WorkspacePrepared          a sandbox with the repository in it
//!   AgentRequested ─ AgentInitialized ─ AgentOpened ─ AgentReady   an agent with a conversation
//!   TurnStarted ─ (transcript) ─ TurnEnded ─ WorkCommitted         once for every prompt
//!   ChecksRequested ─ ChecksEnded                                  the repository's own, on what was committed
//!   CheckpointRequested ─ CheckpointKept                           its files, kept as they are after each turn
//!   PauseRequested ─ SandboxPaused                                 idle
//!   ResumeRequested ─ SandboxResumed                               something to do again
//!   SandboxReleased ─ SandboxDestroyed                             idle for long, or at the end
//! ```
//!
//! And the others:
//! - *Stop, or a guard trips:* the agent is told to cancel; when it has answered or its grace is over, everything in the
//!   sandbox but the guest is killed, and only then is the turn over. The next prompt starts the agent anew and has it load
//!   its conversation. A guard of the whole session lets no prompt begin either.
//! - *A person lets it go on past a guard:* once. The agent is told to go on, and until the end of that turn the guard allows the same again.
//! - *A person pauses:* everything in the sandbox stands still, in the middle of a turn too, and no guard counts that time. Only a
//!   person's word ends it: resume, or stop, before which what stands still goes on.
//! - *A person goes back to a checkpoint:* the sandbox is given up, the files become what they were, and with them the conversation and
//!   the commits that the next turn goes on from. A fork is another session that begins like that.
//! - *The sandbox is lost in a turn:* a new generation is made from its files, the conversation is loaded, and the prompt is
//!   sent again, unless the agent had pushed: then a person is asked.
//! - *The sandbox or agent cannot be made:* transient failures are tried again with back-off, others fail the turn whose
//!   prompt waited. After a failed turn the queue waits until a person says something.
//! - *There is no room for another sandbox:* the session is queued until there is; then it goes on as if it had just been prompted. One
//!   with a sandbox and nothing to do gives it back, files kept, when another waits.
//! - *The model cannot be reached for a moment:* the agent is told to go on after 2 s, 4 s and 8 s; then the turn fails.
//! - *The agent asks leave, or a question:* the policy answers at once, or a person, or the deadline. Meanwhile its silence is not held
//!   against it.
//! - *The checks fail:* the agent is told, twice at the most until a person says something; then the session is stuck.
//! - *It is one of several attempts, and a person takes another, or a child whose parent ends:* it is stopped; when its work is recorded, it ends.
//! - *The agent breaks the protocol or exits:* the turn fails with the reason, and what ran is killed.
//!
//! Every turn that reached an agent ends in `WorkCommitted` (perhaps of nothing) or `WorkNotCommitted` before the next starts.

mod advance;
mod apply;
mod artifacts;
mod asking;
mod attempts;
mod check;
mod checkpoint;
mod conversation;
mod dead;
mod deadlines;
mod decide;
mod family;
mod going_on;
mod guards;
pub mod input;
mod owed;
mod phase;
mod place;
pub mod refusal;
mod standstill;
mod state;
mod turn;
mod update;
pub mod view;

pub use input::{Asked, Command, Input, Report};
pub use owed::Effect;
pub use place::{Place, Room};
pub use refusal::Refusal;
pub use state::{NumberedInput, Session};
pub use view::{Dollars, Phase, SandboxState, SessionSummary, SessionView};

/// Prompts that may wait in one session.
pub const MAX_QUEUED_PROMPTS: usize = 100;
/// What an agent may ask in one turn: for leave, questions, what we do not serve.
pub const MAX_REQUESTS_PER_TURN: u32 = 500;
/// Hosts that the log names, each with each kind of answer; what is asked for beyond them is served or refused all the same.
pub const MAX_CONTACTS: usize = 256;
/// Checkpoints that a session keeps; those in the middle of turns that are over go first.
pub const MAX_CHECKPOINTS: usize = 20;
/// Times a thing that failed transiently is tried, the first time included… and the prompt of a turn is sent.
const ATTEMPTS: u32 = 3;
/// The end of an answer that is kept for an agent without memory; bytes.
const ANSWER_BYTES: usize = 2_000;
/// Exchanges that are kept for it.
const HISTORY_EXCHANGES: usize = 10;
