//! What follows when time passes: guards, questions without an answer, starts that take too long.

use super::decide::Draft;
use super::guards;
use super::state::*;
use crate::event::{Event, Guard};
use crate::failure::{Failure, FailureClass};
use crate::permission::{self, AnsweredBy};

impl Draft {
    /// The guards and deadlines that `now` has passed.
    pub(super) fn deadlines(&mut self) {
        self.paused_for_too_long();
        self.files_took_too_long();
        if self.session.is_paused() {
            return;
        }
        self.permission_deadlines();
        let limits = self.session.spec.limits.clone();
        if let Some((guard, detail)) =
            self.session.turn.as_ref().and_then(|turn| guards::tripped(turn, &limits, self.now))
        {
            let turn = self.session.turn_number;
            self.record(Event::GuardTripped { turn, guard, detail });
            self.cancel_agent();
        }
        let (since, what) = match (&self.session.sandbox, &self.session.agent) {
            (Sandbox::Requested { since, .. } | Sandbox::Created { since, .. }, _) => (*since, "the sandbox"),
            (Sandbox::Ready { .. }, Agent::Starting { since, .. }) => (*since, "the agent"),
            (
                Sandbox::None | Sandbox::Ready { .. } | Sandbox::Paused { .. } | Sandbox::BackingOff { .. },
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
                    let hours = self.session.spec.limits.paused_ms / 3_600_000;
                    let detail = format!("it was paused for {hours} h, and nobody resumed it");
                    self.record(Event::GuardTripped { turn, guard: Guard::Paused, detail });
                    self.cancel_agent();
                }
            }
        }
    }

    fn permission_deadlines(&mut self) {
        let due: Vec<_> = self
            .session
            .turn
            .iter()
            .flat_map(|turn| &turn.permissions)
            .filter(|open| self.now >= open.deadline)
            .map(|open| (open.request.clone(), permission::reject(&open.options)))
            .collect();
        for (request, answer) in due {
            self.answer(request, answer, AnsweredBy::Deadline);
        }
    }
}
