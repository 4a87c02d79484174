//! Several sessions with the same task, of which a person takes one. Which one, is decided once, outside; each of them is told, and what it
//! is told it keeps.

use super::decide::Draft;
use super::view::AttemptsView;
use super::{Refusal, Session};
use crate::SessionId;
use crate::event::Event;
use crate::spec::AttemptTaken;

impl Session {
    /// Whether a person has taken another attempt, or ended the session that this one is a child of.
    pub(super) fn is_left(&self) -> bool {
        self.left_by().is_some()
    }

    /// Who did, once nothing of this one is under way any more.
    pub(super) fn may_be_left(&self) -> Option<&str> {
        let is_at_rest = self.turn.is_none() && self.uncommitted.is_none() && !self.ended();
        self.left_by().filter(|_| is_at_rest)
    }

    fn left_by(&self) -> Option<&str> {
        self.family.left_by().or_else(|| self.left_for_another())
    }

    fn left_for_another(&self) -> Option<&str> {
        let (attempts, taken) = (self.spec.attempts.as_ref()?, self.taken.as_ref()?);
        (!attempts.is_this(&taken.session)).then_some(&taken.by)
    }

    pub(super) fn attempts_view(&self) -> Option<AttemptsView> {
        Some(AttemptsView { of: self.spec.attempts.clone()?, taken: self.taken.clone() })
    }
}

impl Draft {
    /// Told again, nothing more follows.
    pub(super) fn take_attempt(&mut self, session: SessionId, by: String) -> Result<(), Refusal> {
        let attempts = self.session.spec.attempts.as_ref().ok_or(Refusal::NotAnAttempt)?;
        if attempts.number_of(&session).is_none() {
            return Err(Refusal::NotAnAttempt);
        }
        if let Some(taken) = &self.session.taken {
            let number = attempts.number_of(&taken.session).unwrap_or_default();
            let is_it = taken.session == session;
            return if is_it { Ok(()) } else { Err(Refusal::AttemptTaken { number, by: taken.by.clone() }) };
        }
        self.record(Event::AttemptTaken(AttemptTaken { session, by: by.clone() }));
        if self.session.is_left() && !self.session.ended() {
            self.leave(by);
        }
        Ok(())
    }

    /// Nothing more is begun, and what runs is stopped.
    pub(super) fn leave(&mut self, by: String) {
        for prompt in self.queued_prompts() {
            self.record(Event::PromptRemoved { prompt, by: by.clone() });
        }
        // Where nothing runs there is nothing to stop.
        let _ = self.stop(by);
    }
}
