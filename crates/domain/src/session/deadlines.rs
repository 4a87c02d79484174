//! What follows when time passes: guards, questions without an answer, starts that take too long.

use super::decide::Draft;
use super::guards;
use super::state::*;
use crate::event::Event;
use crate::failure::{Failure, FailureClass};
use crate::permission::{self, AnsweredBy};

impl Draft {
    /// The guards and deadlines that `now` has passed.
    pub(super) fn deadlines(&mut self) {
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
            (Sandbox::None | Sandbox::Ready { .. } | Sandbox::BackingOff { .. }, _) => return,
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
