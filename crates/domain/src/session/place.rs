//! A session's place among all that have a sandbox: whether it has one, waits for one, or wants none. How many places there are, and
//! who is next, others know; the machine is told whether there is room, as it is told the time.

use super::Session;
use super::decide::Draft;
use super::state::*;
use crate::Timestamp;
use crate::event::Event;
use crate::failure::{Failure, FailureClass};

/// How long a session waits for a place; then a person is told.
pub(super) const QUEUED_MS: u64 = 24 * 60 * 60_000;

/// Whether there may be another sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Free,
    Full,
}

/// What a session has or wants of the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It has none and wants none.
    None,
    Waits {
        since: Timestamp,
        priority: i8,
    },
    /// Until its sandbox is gone. `idle_since`: it could be given back, as nothing is to be done since then.
    Held {
        idle_since: Option<Timestamp>,
    },
}

impl Session {
    pub fn place(&self) -> Place {
        let held = Place::Held { idle_since: self.idle_since() };
        match &self.sandbox {
            Sandbox::Queued { since, .. } => Place::Waits { since: *since, priority: self.priority },
            Sandbox::None | Sandbox::BackingOff { .. } if self.released.is_empty() => Place::None,
            Sandbox::None
            | Sandbox::BackingOff { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::Ready { .. }
            | Sandbox::Paused { .. } => held,
        }
    }

    /// Set by a person; a step up is worth some waiting.
    pub fn priority(&self) -> i8 {
        self.priority
    }

    fn idle_since(&self) -> Option<Timestamp> {
        let is_there =
            matches!(self.sandbox, Sandbox::Ready { .. } | Sandbox::Paused { why: Pause::Idle, .. });
        let is_idle = is_there && !self.has_work() && !self.ended();
        (is_idle && self.keeping.is_none() && self.restoring.is_none()).then_some(self.busy_at)
    }

    pub(super) fn queued_until(&self) -> Option<Timestamp> {
        match &self.sandbox {
            Sandbox::Queued { since, .. } => Some(since.plus_ms(QUEUED_MS)),
            Sandbox::None
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::Ready { .. }
            | Sandbox::Paused { .. }
            | Sandbox::BackingOff { .. } => None,
        }
    }
}

impl Draft {
    /// Somebody waits for the place of this session, which has nothing to do with it.
    pub(super) fn place_wanted(&mut self) {
        if let Place::Held { idle_since: Some(_) } = self.session.place() {
            let generation = self.session.generation;
            let reason = "another session waits for its place; its files are kept".to_owned();
            self.record(Event::SandboxReleased { generation, keep_files: true, reason });
        }
    }

    pub(super) fn queued_for_too_long(&mut self) {
        if self.session.queued_until().is_some_and(|due| self.now >= due) {
            let hours = QUEUED_MS / 3_600_000;
            let text = format!("no sandbox was free for it for {hours} h; prompt to wait again");
            self.fail_turn(Failure::infrastructure(FailureClass::NeedsYou, text));
        }
    }
}
