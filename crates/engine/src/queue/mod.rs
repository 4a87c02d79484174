//! Which sessions may have a sandbox, and who waits for a place. All of it follows from the sessions' states: each tells its own
//! whenever it has changed, and after a start nobody is let in before all have.
//!
//! ```text
//! a session wants a sandbox ─▶ room? ─┬─ yes: its place is held from then on, until the sandbox is gone
//!                                     └─ no: it waits; the longest first, where a step of priority is ten minutes of waiting
//! a place is free ─▶ who is first, and may have it, is told to look again
//! memory is free, but not enough for who is first ─▶ nobody behind comes in before it, however little they need
//! somebody waits ─▶ one who has a place and nothing to do gives it back, files and all
//! ```

mod line;

pub use line::QueueEntry;

use crate::audit::AskedBy;
use crate::engine::Shared;
use crate::session::Message;
use crate::{CommandError, Engine, clock};
use lamplight_domain::sandbox::Bytes;
use lamplight_domain::session::{Command, Report, Room, Session, SessionView};
use lamplight_domain::{SandboxLimits, SessionId, Timestamp};
use line::Line;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// From one look at the queue to the next, where nothing has changed but the time.
const PERIOD: Duration = Duration::from_secs(2);

/// How many sandboxes there may be at a time, and how much memory they may use together; 0 is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    pub sandboxes: u32,
    pub sandboxes_per_person: u32,
    /// The sum of their memory limits.
    pub memory_bytes: u64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { sandboxes: 0, sandboxes_per_person: 3, memory_bytes: 0 }
    }
}

/// What is taken of the places, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacesTaken {
    pub sandboxes: u32,
    pub memory_bytes: u64,
    pub of: QueueConfig,
    /// Whether one more sandbox of the usual size would have a place at once, of a person who has none.
    pub has_place: bool,
}

/// The places, and who has them.
pub(crate) struct Queue {
    line: Mutex<Line>,
    changed: Notify,
}

impl Queue {
    /// `missing` are those whose places are not known yet; `usual_memory` is the limit of a sandbox that nobody has said one for.
    pub(crate) fn new(
        config: QueueConfig,
        usual_memory: u64,
        missing: impl IntoIterator<Item = SessionId>,
    ) -> Self {
        Self { line: Mutex::new(Line::new(config, usual_memory, missing)), changed: Notify::new() }
    }

    /// Refuses a session that would need more memory than all together may use: it would wait for ever.
    pub(crate) fn refuse_if_too_large(&self, limits: &SandboxLimits) -> Result<(), CommandError> {
        let Some((asked, most)) = self.lock().is_too_large(limits) else { return Ok(()) };
        Err(CommandError::invalid(
            "memory_beyond_queue",
            format!(
                "a sandbox of this session may use {}, and all together may use {}",
                Bytes(asked),
                Bytes(most)
            ),
            "ask for less (--memory, sandbox.limits.memory_bytes), or set queue.memory_mb higher",
        ))
    }

    /// Whether the session may have a sandbox now. Where it may, its place is kept until it tells what it has become.
    pub(crate) fn room(&self, id: &SessionId, session: &Session, now: Timestamp) -> Room {
        self.lock().room(id, session, now)
    }

    /// Where a session will stand in the line that is to wait from now on.
    pub(crate) fn expected(&self, id: &SessionId, session: &Session, now: Timestamp) -> Option<QueueEntry> {
        self.lock().expected(id, session, now)
    }

    /// A session is awake, or has changed.
    pub(crate) fn session_is(&self, id: &SessionId, session: &Session, now: Timestamp) {
        if self.lock().session_is(id, session, now) {
            self.changed.notify_one();
        }
    }

    /// Nobody has to be kept waiting for what this session has: it was woken, or cannot be.
    pub(crate) fn is_known(&self, id: &SessionId) {
        if self.lock().is_known(id) {
            self.changed.notify_one();
        }
    }

    /// The session sleeps.
    pub(crate) fn session_sleeps(&self, id: &SessionId) {
        if self.lock().forget(id) {
            self.changed.notify_one();
        }
    }

    /// A place for a sandbox that is lent, if there is one now that nobody waits for. It is kept until it is given back.
    pub(crate) fn lend(&self, id: &SessionId, person: &str, limits: &SandboxLimits) -> bool {
        self.lock().lend(id, person, limits)
    }

    /// One that was lent before this started.
    pub(crate) fn is_lent(&self, id: &SessionId, person: &str, limits: &SandboxLimits) {
        self.lock().is_lent(id, person, limits);
    }

    /// The sandbox that was lent has its place no more.
    pub(crate) fn give_back(&self, id: &SessionId) {
        if self.lock().give_back(id) {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets in whoever may come in, for as long as the engine runs. It takes no input: every look is complete.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut closing = shared.closing();
    loop {
        let (admitted, asked) = {
            let line = shared.queue.lock();
            (line.admissible(), line.asked_to_give_back(clock::now()))
        };
        let admitted = admitted.into_iter().map(|id| (id, Report::Tick));
        for (id, report) in admitted.chain(asked.into_iter().map(|id| (id, Report::PlaceWanted))) {
            if let Err(error) = shared.send(&id, Message::Report(report)).await {
                tracing::warn!(session.id = %id, %error, "a session does not hear that the queue moves; the next look tries again");
            }
        }
        tokio::select! {
            () = shared.queue.changed.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
            () = crate::engine::closed(&mut closing) => return,
        }
    }
}

impl Engine {
    /// Who waits for a place, the first first.
    pub fn queue(&self) -> Vec<QueueEntry> {
        self.shared.queue.lock().entries(clock::now())
    }

    /// What is taken of the places.
    pub fn places(&self) -> PlacesTaken {
        self.shared.queue.lock().places()
    }

    /// Where a session waits; `None` where it does not.
    pub fn queue_entry(&self, id: &SessionId) -> Option<QueueEntry> {
        self.shared.queue.lock().entry(id, clock::now())
    }

    /// A step up is worth ten minutes of waiting.
    pub async fn set_priority(
        &self,
        id: &SessionId,
        priority: i8,
        by: impl Into<AskedBy>,
    ) -> Result<SessionView, CommandError> {
        self.command_by(id, by, |by| Command::SetPriority { priority, by }).await
    }
}
