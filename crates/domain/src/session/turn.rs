//! How the log makes a turn: its beginning, its being stopped, its end and its work.

use super::decide::Draft;
use super::state::*;
use super::view::QueuedPrompt;
use super::{ANSWER_BYTES, HISTORY_EXCHANGES, Session};
use crate::event::{Event, Guard, Memory, Outcome};
use crate::failure::{Failure, FailureClass};
use crate::{PromptId, Timestamp, TurnNumber};
use std::sync::Arc;

impl Draft {
    /// Ends the turn that runs, or makes one of the prompt that waits, as failed.
    pub(super) fn fail_turn(&mut self, failure: Failure) {
        if let Some(work) = &self.session.uncommitted {
            let turn = work.turn;
            return self.record(Event::WorkNotCommitted { turn, failure });
        }
        if self.session.turn.is_none() {
            let Some(queued) = self.session.prompts.front() else { return };
            let (turn, prompt) = (self.session.turn_number.next(), queued.prompt.clone());
            self.record(Event::TurnStarted { turn, prompt, attempt: 1 });
        }
        let turn = self.session.turn_number;
        self.record(Event::TurnEnded { turn, outcome: Outcome::Failed { failure } });
    }
}

impl Session {
    pub(super) fn prompt_queued(&mut self, prompt: Arc<QueuedPrompt>, again: bool, at: Timestamp) {
        (self.held, self.archived) = (false, false);
        self.restore_owed_since(at);
        match again || self.guarded.goes_first(&prompt.prompt) {
            true => self.prompts.push_front(prompt),
            false => self.prompts.push_back(prompt),
        }
    }

    pub(super) fn begin_stop(&mut self, at: Timestamp, why: Why) {
        if let Some(turn) = &mut self.turn {
            let answered = matches!(turn.state, TurnState::Interrupted | TurnState::Retrying { .. });
            turn.state = TurnState::Stopping { since: at, why, answered };
        }
    }

    pub(super) fn worked(&mut self, by: &str) {
        if !self.worked_by.contains(by) {
            Arc::make_mut(&mut self.worked_by).insert(by.to_owned());
        }
    }

    pub(super) fn turn_started(
        &mut self,
        number: TurnNumber,
        prompt: &PromptId,
        attempt: u32,
        at: Timestamp,
    ) {
        if let Agent::Ready { memory, .. } = &mut self.agent {
            *memory = Memory::Loaded;
        }
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.number == number) {
            turn.attempt = attempt;
            turn.state = TurnState::Sent;
            turn.last_word_at = at;
            return;
        }
        let Some(place) = self.prompts.iter().position(|queued| queued.prompt == *prompt) else { return };
        let Some(queued) = self.prompts.remove(place).map(Arc::unwrap_or_clone) else { return };
        self.worked(&queued.by);
        self.guarded.turn_begun();
        self.turn_number = number;
        self.turn = Some(Turn {
            number,
            prompt: queued.prompt,
            text: queued.text,
            by: queued.by,
            attachments: queued.attachments,
            attempt,
            started_at: at,
            last_word_at: at,
            counts: Default::default(),
            cost: Default::default(),
            requests: 0,
            sent: false,
            open: Vec::new(),
            pushed: false,
            retries: 0,
            state: TurnState::Sent,
            answer: String::new(),
        });
    }

    pub(super) fn turn_ended(&mut self, number: TurnNumber, outcome: &Outcome, at: Timestamp) {
        let Some(turn) = self.turn.take() else { return };
        debug_assert_eq!(turn.number, number);
        self.guarded.turn_ended(turn.counts.steps, at.since_ms(turn.started_at));
        self.inputs.clear();
        self.held = match outcome {
            Outcome::Failed { .. } | Outcome::Tripped { guard: Guard::MonthBudget, .. } => true,
            Outcome::Completed { .. } | Outcome::Stopped { .. } | Outcome::Tripped { .. } => false,
        };
        let asked = QueuedPrompt {
            prompt: turn.prompt,
            text: turn.text.clone(),
            by: turn.by,
            attachments: turn.attachments,
        };
        self.last_turn = Some(LastTurn {
            outcome: outcome.clone(),
            again: Some(asked).filter(|_| !turn.pushed),
            steps: turn.counts.steps,
            cost: turn.cost,
            started_at: turn.started_at,
            ended_at: at,
            not_committed: None,
        });
        if turn.sent {
            self.touched = true;
            self.uncommitted = Some(Uncommitted { turn: number, ended_at: at, attempt: 1, not_before: at });
        }
        self.history.push_back(Arc::new(Exchange { prompt: turn.text, answer: turn.answer }));
        while self.history.len() > HISTORY_EXCHANGES {
            self.history.pop_front();
        }
    }

    pub(super) fn work_not_committed(&mut self, failure: &Failure, at: Timestamp) {
        let Some(work) = self.uncommitted.take() else { return };
        if failure.class == FailureClass::Transient && work.attempt < super::ATTEMPTS {
            let not_before = at.plus_ms(self.back_off_ms(work.attempt));
            self.uncommitted = Some(Uncommitted { attempt: work.attempt + 1, not_before, ..work });
        } else if let Some(last) = &mut self.last_turn {
            last.not_committed = Some(failure.clone());
            self.held = true;
        }
    }
}

impl Turn {
    /// The end of what the agent says is kept.
    pub(super) fn hear(&mut self, text: &str) {
        self.answer.push_str(text);
        keep_end(&mut self.answer, ANSWER_BYTES);
    }
}

/// Cuts `text` to its last `bytes`, at a character's boundary.
fn keep_end(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let cut =
            (text.len() - bytes..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text.drain(..cut);
    }
}
