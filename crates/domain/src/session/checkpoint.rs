//! Keeping the session's files as they are, and going back to them.
//!
//! ```text
//! turn over, its work recorded ──▶ CheckpointRequested ──▶ CheckpointKept      the next turn waits for it
//! in a turn, between two calls ──▶ the same, once a minute                     the turn goes on meanwhile
//! Restore ──▶ SandboxReleased ──▶ SandboxDestroyed ──▶ (files change hands) ──▶ FilesRestored
//! ```

use super::decide::Draft;
use super::state::*;
use super::view::{CheckpointView, TurnCommit};
use super::{MAX_CHECKPOINTS, Refusal, Session};
use crate::event::Event;
use crate::failure::{Failure, FailureClass};
use crate::spec::Origin;
use crate::{Timestamp, TurnNumber};
use std::collections::VecDeque;
use std::sync::Arc;

/// What the session was when its files were kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    pub number: u32,
    /// The provider's.
    pub name: String,
    pub at: Timestamp,
    pub turn: TurnNumber,
    /// In the middle of that turn.
    pub in_turn: bool,
    pub commits: Arc<Vec<TurnCommit>>,
    /// The files were not those of the last commit yet.
    pub behind: Option<String>,
    pub agent_session: Option<String>,
    pub history: VecDeque<Arc<Exchange>>,
}

impl Checkpoint {
    /// The last commit that is in the files.
    fn files_at(&self) -> Option<String> {
        let ids = self.commits.iter().rev().map(|last| &last.commit.id);
        ids.into_iter().find(|id| self.behind.as_ref() != Some(id)).cloned()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Keeping {
    pub since: Timestamp,
    /// Complete but for the provider's name.
    pub checkpoint: Checkpoint,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restoring {
    pub checkpoint: u32,
    pub name: String,
    /// Since when it is owed.
    pub since: Timestamp,
    /// A fork begins with it: without it, there is nothing to go on with.
    pub is_start: bool,
}

impl Restoring {
    pub(super) fn of(origin: &Origin, since: Timestamp) -> Self {
        Self { checkpoint: origin.checkpoint, name: origin.name.clone(), since, is_start: true }
    }
}

impl Session {
    /// Whether the files are to be kept at `now`.
    pub(super) fn keeps_files(&self, now: Timestamp) -> bool {
        self.may_keep_files() && (self.turn.is_none() || now >= self.keep_at())
    }

    /// All but the time is there for a checkpoint.
    fn may_keep_files(&self) -> bool {
        let wanted = self.spec.limits.checkpoint_ms > 0 && self.touched && !self.cannot_keep && !self.ended();
        let at_rest = match &self.turn {
            Some(turn) => turn.state == TurnState::Sent && !turn.counts.in_a_call(),
            None => self.uncommitted.is_none() && self.agent_is_at_rest(),
        };
        wanted && at_rest && self.keeping.is_none() && self.restoring.is_none()
    }

    /// What is being killed may still write.
    fn agent_is_at_rest(&self) -> bool {
        !matches!(self.agent, Agent::Ending { .. })
    }

    fn keep_at(&self) -> Timestamp {
        self.kept_at.plus_ms(self.spec.limits.checkpoint_ms)
    }

    /// When the files of the turn that runs are next to be kept.
    pub(super) fn next_keep_at(&self) -> Option<Timestamp> {
        (matches!(self.sandbox, Sandbox::Ready { .. }) && self.turn.is_some() && self.may_keep_files())
            .then(|| self.keep_at())
    }

    /// The end of the patience with a checkpoint, or with a restore that is owed.
    pub(super) fn files_until(&self) -> Option<Timestamp> {
        let patience = self.spec.limits.start_ms;
        let keeping = self.keeping.as_ref().filter(|_| matches!(self.sandbox, Sandbox::Ready { .. }));
        let keeping = keeping.map(|keeping| keeping.since.plus_ms(patience));
        keeping.or(self.restore_owed().map(|restoring| restoring.since.plus_ms(patience)))
    }

    /// Once nothing of the session runs that could write to its files; that of a fork, once there is something to do.
    pub(super) fn restore_owed(&self) -> Option<&Restoring> {
        let empty =
            matches!(self.sandbox, Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. })
                && self.released.is_empty();
        self.restoring.as_ref().filter(|due| empty && !self.ended() && (!due.is_start || self.has_work()))
    }

    pub(super) fn restore_owed_since(&mut self, at: Timestamp) {
        if let Some(restoring) = &mut self.restoring {
            restoring.since = at;
        }
    }

    pub(super) fn checkpoint_requested(&mut self, number: u32, at: Timestamp) {
        self.checkpoint_number = number;
        self.touched = false;
        self.kept_at = at;
        let checkpoint = Checkpoint {
            number,
            name: String::new(),
            at,
            turn: self.turn_number,
            in_turn: self.turn.is_some(),
            commits: self.commits.clone(),
            behind: self.behind.clone(),
            agent_session: self.agent_session.clone(),
            history: self.history.clone(),
        };
        self.keeping = Some(Keeping { since: at, checkpoint });
    }

    pub(super) fn checkpoint_kept(&mut self, name: &str) {
        let Some(Keeping { checkpoint, .. }) = self.keeping.take() else { return };
        let all = Arc::make_mut(&mut self.checkpoints);
        all.push(Checkpoint { name: name.to_owned(), ..checkpoint });
        if all.len() > MAX_CHECKPOINTS {
            let newest = self.turn_number;
            let of_a_turn_over = |kept: &Checkpoint| kept.in_turn && kept.turn < newest;
            all.remove(all.iter().position(of_a_turn_over).unwrap_or(0));
        }
    }

    pub(super) fn restore_requested(&mut self, number: u32, at: Timestamp) {
        let Some(found) = self.checkpoint(number) else { return };
        let restoring =
            Restoring { checkpoint: number, name: found.name.clone(), since: at, is_start: false };
        self.restores += 1;
        self.restoring = Some(restoring);
    }

    /// A fork goes on with what its origin had; what belongs to the files is in its spec.
    pub(super) fn files_restored(&mut self, at: Timestamp) {
        let Some(Restoring { checkpoint, .. }) = self.restoring.take() else { return };
        self.touched = false;
        self.kept_at = at;
        if let Some(Checkpoint { commits, behind, agent_session, history, .. }) =
            self.checkpoint(checkpoint).cloned()
        {
            self.merged = self.merged.take().filter(|_| commits == self.commits);
            self.commits = commits;
            self.behind = behind;
            self.agent_session = agent_session;
            self.history = history;
        }
    }

    /// Whoever does it may only have been late, and what the files are is not known. So the branch is put into them before the next turn,
    /// which would else undo what is missing.
    pub(super) fn restore_failed(&mut self) {
        self.restoring = self.restoring.take().filter(|restoring| restoring.is_start);
        if self.restoring.is_none() {
            let last = self.commits.last().map(|last| last.commit.id.clone());
            self.behind = self.behind.take().or(last);
        }
    }

    fn checkpoint(&self, number: u32) -> Option<&Checkpoint> {
        self.checkpoints.iter().find(|checkpoint| checkpoint.number == number)
    }

    /// Those that can be gone back to, or forked; oldest first.
    pub(super) fn checkpoint_views(&self) -> Vec<CheckpointView> {
        let view = |checkpoint: &Checkpoint| CheckpointView {
            checkpoint: checkpoint.number,
            at: checkpoint.at,
            turn: checkpoint.turn,
            in_turn: checkpoint.in_turn,
            commit: checkpoint.commits.last().map(|last| last.commit.id.clone()),
        };
        self.checkpoints.iter().map(view).collect()
    }

    /// What a fork of this session at a checkpoint, the newest if none is named, starts from.
    pub fn origin(
        &self,
        id: &crate::SessionId,
        checkpoint: Option<u32>,
    ) -> Result<crate::spec::Origin, Refusal> {
        if self.ended() {
            return Err(Refusal::Ended);
        }
        let number = checkpoint.or_else(|| self.checkpoints.last().map(|last| last.number)).unwrap_or(0);
        let found = self.checkpoint(number).ok_or_else(|| self.no_checkpoint(number))?;
        let commit = found.files_at();
        Ok(crate::spec::Origin {
            session: id.clone(),
            checkpoint: number,
            name: found.name.clone(),
            commit: commit.or_else(|| self.base_commit.clone()).unwrap_or_default(),
            agent_session: found.agent_session.clone(),
        })
    }

    fn no_checkpoint(&self, checkpoint: u32) -> Refusal {
        let known = self.checkpoints.iter().map(|checkpoint| checkpoint.number).collect();
        Refusal::CheckpointNotFound { checkpoint, known }
    }
}

impl Draft {
    pub(super) fn restore(&mut self, checkpoint: u32, by: String) -> Result<(), Refusal> {
        if self.session.restoring.is_some() {
            return Err(Refusal::RestoreRunning);
        }
        if self.session.checkpoint(checkpoint).is_none() {
            return Err(self.session.no_checkpoint(checkpoint));
        }
        self.record(Event::RestoreRequested { checkpoint, by });
        Ok(())
    }

    /// What the world says of a checkpoint, unless it is of another one.
    pub(super) fn checkpoint_made(&mut self, of: u32, made: Result<String, String>) {
        if self.session.keeping.as_ref().is_some_and(|keeping| keeping.checkpoint.number == of) {
            self.record(match made {
                Ok(name) => Event::CheckpointKept { checkpoint: of, name },
                Err(detail) => Event::CheckpointFailed { checkpoint: of, detail },
            });
        }
    }

    pub(super) fn restore_ended(&mut self, restore: u32, ended: Result<(), String>) {
        let Some(Restoring { checkpoint, is_start, .. }) = self.session.restore_owed().cloned() else {
            return;
        };
        if restore != self.session.restores {
            return;
        }
        match ended {
            Ok(()) => self.record(Event::FilesRestored { checkpoint }),
            Err(detail) => {
                self.record(Event::RestoreFailed { checkpoint, detail: detail.clone() });
                // A fork without the files it was made from would be another session than was asked for.
                if is_start {
                    let text = format!("the files of the session it is a fork of are not there: {detail}");
                    self.fail_turn(Failure::infrastructure(FailureClass::Persistent, text));
                }
            }
        }
    }

    pub(super) fn files_took_too_long(&mut self) {
        if self.session.files_until().is_none_or(|until| self.now < until) {
            return;
        }
        let detail = format!("it was not done after {} s", self.session.spec.limits.start_ms / 1000);
        match &self.session.keeping {
            Some(keeping) => self.checkpoint_made(keeping.checkpoint.number, Err(detail)),
            None => self.restore_ended(self.session.restores, Err(detail)),
        }
    }
}
