//! What the state owes the world. An effect exists if and only if the state owes it, so a restart has nothing to remember:
//! it asks again. Every effect is idempotent by the numbers that it carries.

use super::Session;
use super::guards;
use super::standstill::Standstill;
use super::state::*;
use crate::check::CheckPlan;
use crate::{Generation, Timestamp, TurnNumber};

/// Something to be done; its result comes back as a report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Make the sandbox of this generation, or find it if it exists. The one after which it comes had the session's files last; 0 is none.
    CreateSandbox { generation: Generation, after: Generation },
    /// Let everything in it stand still.
    PauseSandbox { generation: Generation, handle: String, pause: u32 },
    /// Let everything in it go on.
    ResumeSandbox { generation: Generation, handle: String, pause: u32 },
    /// Keep the session's files as they are now; of those kept before, only the known are needed any longer.
    KeepFiles { generation: Generation, handle: String, checkpoint: u32, known: Vec<String> },
    /// Make the session's files those of a checkpoint; nothing of the session runs.
    RestoreFiles { generation: Generation, restore: u32, name: String },
    /// Put the repository into it, unless an earlier generation did.
    PrepareWorkspace { generation: Generation, handle: String },
    /// Make sure that nothing of it runs, with or without its files.
    DestroySandbox { generation: Generation, handle: Option<String>, keep_files: bool },
    /// Start the process unless it runs, write what it has not been told, and read it from where the log ends. Lasts as
    /// long as it is owed.
    RunAgent { generation: Generation, handle: String, run: u32 },
    /// End everything that runs in the sandbox but the guest.
    KillAgent { generation: Generation, handle: String, run: u32 },
    /// Commit the turn's work on the session's branch and push it.
    CommitWork { generation: Generation, handle: String, turn: TurnNumber, attempt: u32 },
    /// Make the session's files those of this commit of its branch, but for what nobody has committed.
    UpdateWorkspace { generation: Generation, handle: String, commit: String },
    /// Run the repository's own checks on what a turn has committed, in a sandbox of their own.
    RunChecks { check: u32, turn: TurnNumber, commit: String, plan: CheckPlan },
}

impl Session {
    /// Everything that has to be done at `now`.
    pub fn owed(&self, now: Timestamp) -> Vec<Effect> {
        let generation = self.generation;
        let mut owed: Vec<Effect> = self
            .released
            .iter()
            .map(|(generation, released)| Effect::DestroySandbox {
                generation: *generation,
                handle: released.handle.clone(),
                keep_files: released.keep_files,
            })
            .collect();
        owed.extend(self.restore_owed().map(|restoring| Effect::RestoreFiles {
            generation,
            restore: self.restores,
            name: restoring.name.clone(),
        }));
        owed.extend(self.checks_owed());
        match &self.sandbox {
            Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. } => {}
            // A new sandbox lives in the files of the one before, so that one has to be gone first.
            Sandbox::Requested { .. } if self.released.is_empty() => {
                owed.push(Effect::CreateSandbox { generation, after: self.made })
            }
            Sandbox::Requested { .. } => {}
            Sandbox::Created { handle, .. } => {
                owed.push(Effect::PrepareWorkspace { generation, handle: handle.clone() });
            }
            Sandbox::Ready { handle, .. } => self.owed_inside(now, handle, &mut owed),
            Sandbox::Paused { handle, pause, still: false, .. } => {
                owed.push(Effect::PauseSandbox { generation, handle: handle.clone(), pause: *pause });
            }
            Sandbox::Paused { handle, pause, still: true, why: Pause::Over { .. }, .. } => {
                owed.push(Effect::ResumeSandbox { generation, handle: handle.clone(), pause: *pause });
            }
            Sandbox::Paused { still: true, why: Pause::Idle | Pause::Person { .. }, .. } => {}
        }
        owed
    }

    fn owed_inside(&self, now: Timestamp, handle: &str, owed: &mut Vec<Effect>) {
        let (generation, run, handle) = (self.generation, self.run, handle.to_owned());
        owed.extend(self.keeping.as_ref().map(|keeping| Effect::KeepFiles {
            generation,
            handle: handle.clone(),
            checkpoint: keeping.checkpoint.number,
            known: self.checkpoints.iter().map(|checkpoint| checkpoint.name.clone()).collect(),
        }));
        let ending = match &self.agent {
            Agent::None => false,
            Agent::Ending { .. } => true,
            Agent::Starting { .. } | Agent::Ready { .. } => self.kill_at().is_some_and(|due| now >= due),
        };
        if ending {
            owed.push(Effect::KillAgent { generation, handle, run });
            return;
        }
        owed.extend(self.update_owed().map(|commit| Effect::UpdateWorkspace {
            generation,
            handle: handle.clone(),
            commit: commit.to_owned(),
        }));
        if self.agent != Agent::None {
            owed.push(Effect::RunAgent { generation, handle: handle.clone(), run });
        }
        if let Some(work) = self.uncommitted.as_ref().filter(|work| now >= work.not_before) {
            owed.push(Effect::CommitWork { generation, handle, turn: work.turn, attempt: work.attempt });
        }
    }

    /// When a turn that is being stopped loses its patience with the agent.
    fn kill_at(&self) -> Option<Timestamp> {
        match self.turn.as_ref()?.state {
            TurnState::Stopping { since, answered: true, .. } => Some(since),
            TurnState::Stopping { since, answered: false, .. } => {
                Some(since.plus_ms(self.spec.limits.cancel_grace_ms))
            }
            TurnState::Sent | TurnState::Interrupted | TurnState::Retrying { .. } => None,
        }
    }

    /// Whether this session's state accounts for the sandbox of that generation; what nobody claims is an orphan.
    pub fn claims(&self, generation: Generation) -> bool {
        (generation == self.generation && self.sandbox != Sandbox::None)
            || self.released.contains_key(&generation)
    }

    /// Whether anything waits to be done with a sandbox.
    pub(super) fn has_work(&self) -> bool {
        self.turn.is_some() || self.uncommitted.is_some() || self.may_start_turn()
    }

    /// A prompt waits, and nothing keeps it from its turn.
    pub(super) fn may_start_turn(&self) -> bool {
        !self.prompts.is_empty() && !self.held && !self.is_spent()
    }

    pub(super) fn idle_at(&self) -> Timestamp {
        self.busy_at.plus_ms(self.spec.limits.idle_ms)
    }

    /// When people are told that the sandbox is about to be given back.
    pub(super) fn announce_at(&self) -> Timestamp {
        let limits = &self.spec.limits;
        self.busy_at.plus_ms(limits.idle_ms.saturating_sub(limits.idle_warning_ms))
    }

    pub(super) fn pause_at(&self) -> Timestamp {
        self.busy_at.plus_ms(self.spec.limits.pause_ms)
    }

    /// The end of the patience with a sandbox that is being paused, is paused, or is being resumed.
    pub(super) fn paused_until(&self) -> Option<(Timestamp, Standstill)> {
        let limits = &self.spec.limits;
        match &self.sandbox {
            Sandbox::Paused { still: false, since, .. } => {
                Some((since.plus_ms(limits.start_ms), Standstill::Begins))
            }
            Sandbox::Paused { why: Pause::Over { since }, .. } => {
                Some((since.plus_ms(limits.start_ms), Standstill::Ends))
            }
            Sandbox::Paused { why: Pause::Person { .. }, since, .. } if self.has_work() => {
                Some((since.plus_ms(limits.paused_ms), Standstill::Lasts))
            }
            Sandbox::Paused { .. }
            | Sandbox::None
            | Sandbox::Queued { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::Ready { .. }
            | Sandbox::BackingOff { .. } => None,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.sandbox, Sandbox::Paused { .. })
    }

    /// The first moment after `last`, the time of the last decision, at which time alone changes something, and its name;
    /// `None` when nothing waits.
    pub fn next_deadline(&self, last: Timestamp) -> Option<(Timestamp, &'static str)> {
        let limits = &self.spec.limits;
        let mut due: Vec<(Timestamp, &'static str)> = Vec::new();
        if let Some(turn) = self.turn.as_ref().filter(|_| !self.is_paused()) {
            due.extend(turn.open.iter().map(|open| (open.deadline(), "answer")));
            if let TurnState::Retrying { until, .. } = turn.state {
                due.push((until, "retry"));
            }
            if turn.state == TurnState::Sent {
                due.extend(guards::clocks(self, turn).map(|at| (at, "guard")));
            }
        }
        if self.agent != Agent::None && !self.is_paused() {
            due.extend(self.kill_at().map(|at| (at, "cancel")));
        }
        match (&self.sandbox, &self.agent) {
            (Sandbox::None | Sandbox::Queued { .. }, _) => {}
            (Sandbox::BackingOff { until, .. }, _) => {
                due.extend(self.has_work().then_some((*until, "sandbox retry")))
            }
            (Sandbox::Requested { since, .. } | Sandbox::Created { since, .. }, _)
            | (Sandbox::Ready { .. }, Agent::Starting { since, .. }) => {
                due.push((since.plus_ms(limits.start_ms), "start"))
            }
            (Sandbox::Ready { .. }, Agent::None | Agent::Ready { .. } | Agent::Ending { .. })
            | (Sandbox::Paused { .. }, _) => {}
        }
        due.extend(self.queued_until().map(|at| (at, "queue")));
        due.extend(self.files_until().map(|at| (at, "files")));
        due.extend(self.next_keep_at().map(|at| (at, "checkpoint")));
        due.extend(self.paused_until().map(|(at, _)| (at, "pause")));
        let there = matches!(self.sandbox, Sandbox::Ready { .. } | Sandbox::Paused { .. });
        if there && !self.has_work() && !self.ended() {
            due.push((self.idle_at(), "idle"));
            due.extend((!self.release_announced).then_some((self.announce_at(), "idle warning")));
            let runs = matches!(self.sandbox, Sandbox::Ready { .. });
            due.extend((runs && !self.cannot_pause).then_some((self.pause_at(), "pause when idle")));
        }
        due.extend(self.checks_until().map(|at| (at, "checks")));
        due.extend(self.uncommitted.as_ref().map(|work| (work.not_before, "commit")));
        due.into_iter().filter(|(at, _)| *at > last).min()
    }
}
