//! Dead letters: turns that came to nothing although neither who asked nor the agent was at fault. What goes away by itself was tried three
//! times before; now a person has it tried again, and the same prompt is asked once more, in a new sandbox if need be.

use super::decide::Draft;
use super::view::QueuedPrompt;
use super::{MAX_QUEUED_PROMPTS, Refusal, Session};
use crate::PromptId;
use crate::event::{Event, Outcome};
use crate::failure::Side;

impl Session {
    /// What is asked again when the last turn is tried again; `None` where it is no dead letter: it went another way, somebody has said
    /// something since, or some of its work was pushed already, or cannot be committed and is in the sandbox still.
    pub(super) fn dead(&self) -> Option<&QueuedPrompt> {
        let rests = self.held && !self.ended() && self.turn.is_none() && self.uncommitted.is_none();
        let last = self.last_turn.as_ref().filter(|last| rests && last.not_committed.is_none())?;
        match &last.outcome {
            Outcome::Failed { failure } if failure.side == Side::Infrastructure => last.again.as_ref(),
            Outcome::Failed { .. }
            | Outcome::Completed { .. }
            | Outcome::Stopped { .. }
            | Outcome::Tripped { .. } => None,
        }
    }

    /// 2 s, 4 s, 8 s, with up to half a second of jitter that follows from the session's branch, so that replay agrees.
    pub(super) fn back_off_ms(&self, attempt: u32) -> u64 {
        let jitter = self
            .spec
            .branch
            .bytes()
            .fold(u64::from(attempt), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        (1000 << attempt.clamp(1, super::ATTEMPTS)) + jitter % 500
    }
}

impl Draft {
    pub(super) fn retry(&mut self, prompt: PromptId, by: String) -> Result<(), Refusal> {
        let QueuedPrompt { text, attachments, .. } =
            self.session.dead().cloned().ok_or(Refusal::NothingToRetry)?;
        if self.session.prompts.len() >= MAX_QUEUED_PROMPTS {
            return Err(Refusal::QueueFull { limit: MAX_QUEUED_PROMPTS });
        }
        if let Some(guard) = self.session.spent().next() {
            return Err(self.session.refusal(guard));
        }
        self.wake_up(Some(&by));
        self.record(Event::PromptQueued { prompt, text, by, attachments, again: true });
        Ok(())
    }
}
