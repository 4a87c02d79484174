//! Taking up what others put on the session's branch: its base, or what people pushed to it where it is published.
//!
//! ```text
//! BranchUpdated ──▶ (there is something to do) ──▶ UpdateWorkspace ──▶ WorkspaceUpdated ──▶ the next turn
//! ```
//! The commit is made on the host, between two turns; the sandbox is not needed for it. Before the next turn the files become those of the
//! commit, so that no turn undoes what was merged.

use super::decide::Draft;
use super::view::TurnCommit;
use super::{Refusal, Session};
use crate::TurnNumber;
use crate::check::ToCheck;
use crate::event::{Commit, Event};
use crate::failure::{Failure, FailureClass};
use std::sync::Arc;

impl Session {
    pub(super) fn branch_updated(&mut self, turn: TurnNumber, commit: &Commit) {
        self.merged = None;
        self.behind = Some(commit.id.clone());
        Arc::make_mut(&mut self.commits).push(TurnCommit { turn, commit: commit.clone() });
    }

    /// What the files have to become for the turn that is about to begin.
    pub(super) fn update_owed(&self) -> Option<&str> {
        let is_due = self.turn.is_none() && self.uncommitted.is_none() && self.may_start_turn();
        self.behind.as_deref().filter(|_| is_due && self.keeping.is_none())
    }
}

impl Draft {
    pub(super) fn update_branch(
        &mut self,
        head: &str,
        commit: Commit,
        to_check: ToCheck,
        by: String,
    ) -> Result<(), Refusal> {
        self.refuse_while_working()?;
        if self.session.restoring.is_some() {
            return Err(Refusal::RestoreRunning);
        }
        if self.session.commits.last().is_none_or(|last| last.commit.id != head) {
            return Err(Refusal::BranchMoved);
        }
        let (turn, id) = (self.session.turn_number, commit.id.clone());
        self.record(Event::BranchUpdated { turn, commit, by });
        self.checks_follow(turn, &id, to_check);
        Ok(())
    }

    /// What the world says of it, unless it is of another commit.
    pub(super) fn workspace_updated(&mut self, commit: String, updated: Result<(), String>) {
        if self.session.behind.as_ref() != Some(&commit) {
            return;
        }
        match updated {
            Ok(()) => self.record(Event::WorkspaceUpdated { commit }),
            Err(detail) if self.session.update_owed().is_some() => {
                let text = format!("the files could not be brought up to date with the branch: {detail}");
                self.fail_turn(Failure::infrastructure(FailureClass::NeedsYou, text));
            }
            Err(_) => {}
        }
    }
}
