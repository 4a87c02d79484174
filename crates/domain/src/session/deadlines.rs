//! What follows when time passes: guards, questions without an answer, starts that take too long.

use super::ATTEMPTS;
use super::decide::Draft;
use super::guards;
use super::standstill::Standstill;
use super::state::*;
use crate::event::{BudgetNeared, Event, Guard, GuardTripped};
use crate::failure::{Failure, FailureClass};
use crate::{BudgetOf, MonthBudget, PromptId};

/// Who does what nobody asked for.
const OURS: &str = "Lamplight";

impl Draft {
    /// The guards and deadlines that `now` has passed.
    pub(super) fn deadlines(&mut self) {
        self.checks_are_over();
        self.paused_for_too_long();
        self.files_took_too_long();
        if self.session.is_paused() {
            return;
        }
        self.queued_for_too_long();
        self.answer_deadlines();
        let limits = self.session.spec.limits.clone();
        if self.session.nears_budget() {
            let (spent_micros, budget_micros) = (self.session.cost_micros(), self.session.budget_micros);
            let (of, until) = (BudgetOf::Session, None);
            self.record(Event::BudgetNeared(BudgetNeared { spent_micros, budget_micros, of, until }));
        }
        if let Some(tripped) = guards::tripped(&self.session, self.now) {
            self.record(Event::GuardTripped(tripped));
            self.cancel_agent();
        }
        let (since, what) = match (&self.session.sandbox, &self.session.agent) {
            (Sandbox::Requested { since, .. } | Sandbox::Created { since, .. }, _) => (*since, "the sandbox"),
            (Sandbox::Ready { .. }, Agent::Starting { since, .. }) => (*since, "the agent"),
            (
                Sandbox::None
                | Sandbox::Queued { .. }
                | Sandbox::Ready { .. }
                | Sandbox::Paused { .. }
                | Sandbox::BackingOff { .. },
                _,
            ) => return,
        };
        if self.now >= since.plus_ms(limits.start_ms) {
            let text = format!("{what} was not ready after {} s", limits.start_ms / 1000);
            match &self.session.agent {
                Agent::Starting { .. } => self.agent_broken(Failure::agent(FailureClass::Persistent, text)),
                Agent::None | Agent::Ready { .. } | Agent::Ending { .. } => {
                    self.start_failed(Failure::infrastructure(FailureClass::Transient, text));
                }
            }
        }
    }

    /// A turn that stands still is stopped by what it asks when it goes on.
    pub(super) fn month_budget(&mut self, month: MonthBudget) {
        let turn = self.session.turn.as_ref().filter(|turn| turn.state == TurnState::Sent);
        let Some(turn) = turn.filter(|_| !self.session.is_paused()).map(|turn| turn.number) else { return };
        if month.is_spent() {
            let detail = format!("{} is spent", month.of.named(month.budget_micros));
            let (limit, counted) = (Some(month.budget_micros), Some(month.spent_micros));
            let guard = Guard::MonthBudget;
            self.record(Event::GuardTripped(GuardTripped { turn, guard, detail, limit, counted }));
            self.cancel_agent();
        } else if month.is_near() && !self.session.was_told_of(&month) {
            let MonthBudget { of, budget_micros, spent_micros, until } = month;
            let until = Some(until);
            self.record(Event::BudgetNeared(BudgetNeared { spent_micros, budget_micros, of, until }));
        }
    }

    /// What they asked for and waits is taken back, and their turn is stopped.
    pub(super) fn right_lost(&mut self, by: &str, detail: String) {
        let theirs = self.session.prompts.iter().filter(|queued| queued.by == by);
        let theirs: Vec<PromptId> = theirs.map(|queued| queued.prompt.clone()).collect();
        let turn = self.session.turn.as_ref().filter(|turn| turn.by == by);
        let turn = turn.filter(|turn| !matches!(turn.state, TurnState::Stopping { .. }));
        let turn = turn.map(|turn| turn.number);
        if !theirs.is_empty() && turn.is_none() {
            self.record(Event::Noted { text: format!("What waits is taken back: {detail}.") });
        }
        for prompt in theirs {
            self.record(Event::PromptRemoved { prompt, by: OURS.to_owned() });
        }
        if let Some(turn) = turn {
            self.wake_up(None);
            let (guard, limit, counted) = (Guard::Right, None, None);
            self.record(Event::GuardTripped(GuardTripped { turn, guard, detail, limit, counted }));
            self.cancel_agent();
        }
    }

    fn paused_for_too_long(&mut self) {
        let Some((_, what)) = self.session.paused_until().filter(|(due, _)| self.now >= *due) else { return };
        let (generation, turn) = (self.session.generation, self.session.turn_number);
        match what {
            Standstill::Begins => {
                let detail = "it did not come to a standstill in time".into();
                self.record(Event::PauseFailed { generation, detail });
            }
            Standstill::Ends => self.sandbox_lost("it could not be resumed".into()),
            Standstill::Lasts => {
                self.wake_up(None);
                if self.session.turn.is_some() {
                    let paused_ms = self.session.spec.limits.paused_ms;
                    let detail =
                        format!("it was paused for {} h, and nobody resumed it", paused_ms / 3_600_000);
                    let (guard, limit, counted) = (Guard::Paused, Some(paused_ms), None);
                    self.record(Event::GuardTripped(GuardTripped { turn, guard, detail, limit, counted }));
                    self.cancel_agent();
                }
            }
        }
    }

    /// A sandbox or agent could not be made ready. Transient failures are tried again; others end in a failed turn, so
    /// that the person whose prompt waits is told.
    pub(super) fn start_failed(&mut self, mut failure: Failure) {
        let generation = self.session.generation;
        let attempt = self.session.sandbox.attempt();
        if attempt >= ATTEMPTS && failure.class == FailureClass::Transient {
            failure.class = FailureClass::Persistent;
        }
        self.record(Event::SandboxReleased { generation, keep_files: true, reason: failure.message.clone() });
        self.record(Event::SandboxFailed { generation, attempt, failure: failure.clone() });
        if failure.class != FailureClass::Transient {
            self.fail_turn(failure);
        }
    }
}
