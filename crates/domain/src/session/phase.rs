//! The one place where what people see is derived.

use super::Session;
use super::state::*;
use super::view::{OriginView, Phase, SandboxState, SessionView};
use crate::SessionId;
use crate::agent::StopReason;
use crate::event::Outcome;

impl Session {
    /// Where the session is, and the sentence that explains it where one is needed.
    pub fn phase(&self) -> (Phase, Option<String>) {
        if matches!(self.sandbox, Sandbox::Queued { .. }) {
            return (Phase::Queued, Some("it waits for a free sandbox".into()));
        }
        if let Sandbox::Paused { why: Pause::Person { by }, .. } = &self.sandbox
            && self.has_work()
        {
            return (Phase::Paused, Some(format!("paused by {by}; resume to go on")));
        }
        if let Some(Restoring { checkpoint, is_start: false, .. }) = &self.restoring
            && !self.ended()
        {
            return (Phase::Starting, Some(format!("its files go back to checkpoint {checkpoint}")));
        }
        if let Some(turn) = &self.turn {
            return turn.phase();
        }
        if self.uncommitted.is_some() {
            return (Phase::Executing, Some("recording the work".into()));
        }
        if self.may_start_turn() && !self.ended() {
            return match &self.sandbox {
                Sandbox::BackingOff { .. } => {
                    (Phase::Starting, Some("the sandbox could not be made; trying again".into()))
                }
                Sandbox::None
                | Sandbox::Queued { .. }
                | Sandbox::Requested { .. }
                | Sandbox::Created { .. }
                | Sandbox::Ready { .. }
                | Sandbox::Paused { .. } => (Phase::Starting, None),
            };
        }
        if !self.prompts.is_empty()
            && let Some(guard) = self.spent().next()
        {
            let detail = self.in_words(guard, self.bound(guard).unwrap_or(0));
            return (Phase::Stuck, Some(format!("{detail}; {}", guard.what_to_do())));
        }
        let Some(last) = &self.last_turn else {
            return (Phase::Paused, Some("nothing is asked of it; prompt to go on".into()));
        };
        let phase = last.phase();
        match self.phase_by_checks() {
            Some(by_checks) if phase.0 == Phase::Done => by_checks,
            Some(_) | None => phase,
        }
    }

    fn sandbox_state(&self) -> SandboxState {
        match &self.sandbox {
            Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. }
                if self.kept.is_some() && !self.ended() =>
            {
                SandboxState::Stopped
            }
            Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. } => SandboxState::None,
            Sandbox::Requested { .. } | Sandbox::Created { .. } => SandboxState::Starting,
            Sandbox::Ready { .. } => SandboxState::Running,
            Sandbox::Paused { .. } => SandboxState::Paused,
        }
    }

    /// Everything that people see of the session but its log.
    pub fn view(&self, id: SessionId) -> SessionView {
        let (phase, reason) = self.phase();
        let (steps, turn_cost, started_at, until) = match (&self.turn, &self.last_turn) {
            (Some(turn), _) => (turn.counts.steps, turn.cost, Some(turn.started_at), self.updated_at),
            (None, Some(last)) => (last.steps, last.cost, Some(last.started_at), last.ended_at),
            (None, None) => (0, Default::default(), None, self.updated_at),
        };
        SessionView {
            id,
            title: self.spec.title.clone(),
            phase,
            reason,
            repository: self.spec.repository.clone(),
            base: self.spec.base.clone(),
            branch: self.spec.branch.clone(),
            agent: self.spec.agent.clone(),
            model: self.model.clone().or_else(|| self.agent_model.clone()),
            models: self.models.clone(),
            person: self.spec.person.clone(),
            worked_by: self.worked_by.clone(),
            turn: self.turn_number,
            steps,
            tokens: self.tokens,
            cost: self.cost,
            turn_cost,
            budget_micros: self.budget_micros,
            guards: self.guard_views(),
            tripped: self.stopped_by(),
            elapsed_ms: started_at.map_or(0, |started| until.since_ms(started)),
            turn_started_at: started_at,
            turn_by: self.turn.as_ref().map(|turn| turn.by.clone()),
            queued: self.prompts.iter().cloned().collect(),
            permission: self.open_permission().cloned(),
            question: self.open_question().cloned(),
            commits: self.commits.clone(),
            checked: self.checked().cloned(),
            artifacts: self.artifacts.clone(),
            merged: self.merged.clone(),
            pull_request: self.pull_request.clone(),
            checkpoints: self.checkpoint_views(),
            origin: self.spec.origin.as_ref().map(OriginView::from),
            attempts: self.attempts_view(),
            family: self.family_view(),
            network: self.spec.network.clone(),
            image: self.spec.image.clone(),
            contacts: self.contacts.clone(),
            sandbox_state: self.sandbox_state(),
            priority: self.priority,
            enforced: self.enforced.clone(),
            ended: self.ended(),
            ended_by: self.ended_by.clone(),
            archived: self.archived,
            dead: self.dead().is_some(),
            last_seq: self.last_seq,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Turn {
    fn phase(&self) -> (Phase, Option<String>) {
        match &self.state {
            TurnState::Interrupted => {
                (Phase::Starting, Some("the sandbox was lost; a new one is started from its files".into()))
            }
            TurnState::Retrying { failure, .. } => {
                (Phase::Executing, Some(format!("{} Trying again in a moment.", failure.message)))
            }
            TurnState::Stopping { .. } => (Phase::Executing, Some("stopping".into())),
            TurnState::Sent => match self.open.first() {
                Some(open) => (Phase::WaitingForYou, Some(open.in_words())),
                None if self.counts.steps == 0 => (Phase::Planning, None),
                None => (Phase::Executing, None),
            },
        }
    }
}

impl LastTurn {
    fn phase(&self) -> (Phase, Option<String>) {
        if let Some(failure) = &self.not_committed {
            return (Phase::Failed, Some(format!("the work could not be committed: {}", failure.message)));
        }
        match &self.outcome {
            Outcome::Completed { stop_reason } => match stop_reason {
                StopReason::EndTurn | StopReason::Cancelled => (Phase::Done, None),
                StopReason::MaxTokens => {
                    (Phase::Stuck, Some("the model ran into its output limit; prompt to go on".into()))
                }
                StopReason::MaxTurnRequests => {
                    (Phase::Stuck, Some("the agent ran into its own step limit; prompt to go on".into()))
                }
                StopReason::Refusal => {
                    (Phase::Stuck, Some("the model refused; say it in another way".into()))
                }
            },
            Outcome::Stopped { by } => (Phase::Paused, Some(format!("stopped by {by}; prompt to go on"))),
            Outcome::Tripped { guard, detail } => {
                (Phase::Stuck, Some(format!("{detail}; {}", guard.what_to_do())))
            }
            Outcome::Failed { failure } => (Phase::Failed, Some(failure.message.clone())),
        }
    }
}
