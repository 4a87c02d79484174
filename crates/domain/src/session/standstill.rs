//! How the log makes a sandbox stand still, and go on.

use super::Session;
use super::state::*;
use crate::Timestamp;

impl Session {
    pub(super) fn pause_requested(&mut self, by: Option<&str>, at: Timestamp) {
        let because = by.map_or(Pause::Idle, |by| Pause::Person { by: by.to_owned() });
        match &mut self.sandbox {
            Sandbox::Ready { handle } => {
                self.pauses += 1;
                let (handle, pause) = (handle.clone(), self.pauses);
                self.sandbox = Sandbox::Paused { handle, pause, since: at, still: false, why: because };
            }
            // Some of it may go on already, so it is another pause.
            Sandbox::Paused { pause, still, why: why @ Pause::Over { .. }, .. } => {
                self.pauses += 1;
                (*pause, *still, *why) = (self.pauses, false, because);
            }
            Sandbox::Paused { why, .. } => *why = because,
            Sandbox::None
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::BackingOff { .. } => {}
        }
    }

    pub(super) fn stands_still(&mut self) {
        if let Sandbox::Paused { still, .. } = &mut self.sandbox {
            *still = true;
        }
    }

    /// Half of it may stand still: it is resumed like any other.
    pub(super) fn pause_failed(&mut self, at: Timestamp) {
        self.cannot_pause = true;
        if let Sandbox::Paused { still, why, .. } = &mut self.sandbox {
            (*still, *why) = (true, Pause::Over { since: at });
        }
    }

    pub(super) fn resume_requested(&mut self, at: Timestamp) {
        if let Sandbox::Paused { why, .. } = &mut self.sandbox {
            *why = Pause::Over { since: at };
        }
    }

    /// What was paused runs again. Nobody is held to account for the time in between.
    pub(super) fn goes_on(&mut self, at: Timestamp) {
        let Sandbox::Paused { handle, since, .. } = &self.sandbox else { return };
        let stood_still = at.since_ms(*since);
        self.sandbox = Sandbox::Ready { handle: handle.clone() };
        if let Some(turn) = &mut self.turn {
            turn.started_at = turn.started_at.plus_ms(stood_still);
            turn.last_word_at = turn.last_word_at.plus_ms(stood_still);
            for open in &mut turn.permissions {
                open.deadline = open.deadline.plus_ms(stood_still);
            }
        }
        if let Agent::Starting { since, .. } = &mut self.agent {
            *since = since.plus_ms(stood_still);
        }
    }
}
