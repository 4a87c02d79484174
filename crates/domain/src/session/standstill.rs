//! Letting a sandbox stand still, and go on.

use super::decide::Draft;
use super::state::*;
use super::{Refusal, Session};
use crate::event::Event;
use crate::{Generation, Timestamp};

/// What is waited for with a sandbox that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standstill {
    Begins,
    /// There is work in it, and a person paused it.
    Lasts,
    Ends,
}

impl Session {
    /// The sandbox that can be worked in now, by the provider's handle.
    pub fn running_sandbox(&self) -> Option<(Generation, &str)> {
        let Sandbox::Ready { handle } = &self.sandbox else { return None };
        Some((self.generation, handle))
    }

    /// The sandbox in which something may run now, though it may not be ready for work yet.
    pub fn sandbox_in_use(&self) -> Option<Generation> {
        let is_in_use = matches!(self.sandbox, Sandbox::Created { .. } | Sandbox::Ready { .. });
        is_in_use.then_some(self.generation)
    }

    pub(super) fn pause_requested(&mut self, by: Option<&str>, at: Timestamp) {
        let because = by.map_or(Pause::Idle, |by| Pause::Person { by: by.to_owned() });
        match &mut self.sandbox {
            Sandbox::Ready { handle } => {
                self.pauses += 1;
                let (handle, pause) = (handle.clone(), self.pauses);
                self.sandbox = Sandbox::Paused { handle, pause, since: at, still: false, why: because };
            }
            // Some of it may go on already, so it is another pause.
            Sandbox::Paused { pause, still, why: why @ Pause::Over { .. }, .. } => {
                self.pauses += 1;
                (*pause, *still, *why) = (self.pauses, false, because);
            }
            Sandbox::Paused { why, .. } => *why = because,
            Sandbox::None
            | Sandbox::Queued { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::BackingOff { .. } => {}
        }
    }

    pub(super) fn stands_still(&mut self) {
        if let Sandbox::Paused { still, .. } = &mut self.sandbox {
            *still = true;
        }
    }

    /// Half of it may stand still: it is resumed like any other.
    pub(super) fn pause_failed(&mut self, at: Timestamp) {
        self.cannot_pause = true;
        if let Sandbox::Paused { still, why, .. } = &mut self.sandbox {
            (*still, *why) = (true, Pause::Over { since: at });
        }
    }

    pub(super) fn resume_requested(&mut self, at: Timestamp) {
        if let Sandbox::Paused { why, .. } = &mut self.sandbox {
            *why = Pause::Over { since: at };
        }
    }

    /// What was paused runs again. Nobody is held to account for the time in between.
    pub(super) fn goes_on(&mut self, at: Timestamp) {
        let Sandbox::Paused { handle, since, .. } = &self.sandbox else { return };
        let stood_still = at.since_ms(*since);
        self.sandbox = Sandbox::Ready { handle: handle.clone() };
        if let Some(turn) = &mut self.turn {
            turn.started_at = turn.started_at.plus_ms(stood_still);
            turn.last_word_at = turn.last_word_at.plus_ms(stood_still);
            turn.open.iter_mut().for_each(|open| open.put_off(stood_still));
        }
        if let Agent::Starting { since, .. } = &mut self.agent {
            *since = since.plus_ms(stood_still);
        }
    }
}

impl Draft {
    /// What is being stopped does not stand still before it is over: it could be told nothing, and would be there until somebody resumes it.
    pub(super) fn pause(&mut self, by: String) -> Result<(), Refusal> {
        let generation = self.session.generation;
        match &self.session.sandbox {
            Sandbox::Ready { .. } if self.session.cannot_pause => Err(Refusal::NothingToPause),
            Sandbox::Ready { .. } | Sandbox::Paused { why: Pause::Idle | Pause::Over { .. }, .. } => {
                if let Some(Turn { number, state: TurnState::Stopping { .. }, .. }) = &self.session.turn {
                    return Err(Refusal::TurnStopping { turn: *number });
                }
                self.record(Event::PauseRequested { generation, by: Some(by) });
                Ok(())
            }
            Sandbox::Paused { why: Pause::Person { .. }, .. } => Ok(()),
            Sandbox::None
            | Sandbox::Queued { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::BackingOff { .. } => Err(Refusal::NothingToPause),
        }
    }

    pub(super) fn resume(&mut self, by: String) -> Result<(), Refusal> {
        match &self.session.sandbox {
            Sandbox::Paused { why: Pause::Idle | Pause::Person { .. }, .. } => {
                let generation = self.session.generation;
                self.record(Event::ResumeRequested { generation, by: Some(by) });
                Ok(())
            }
            Sandbox::Paused { why: Pause::Over { .. }, .. } => Ok(()),
            Sandbox::None
            | Sandbox::Queued { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::Ready { .. }
            | Sandbox::BackingOff { .. } => Err(Refusal::NotPaused),
        }
    }

    pub(super) fn release(&mut self, by: &str) -> Result<(), Refusal> {
        self.refuse_while_working()?;
        let session = &self.session;
        if session.restoring.is_some() {
            return Err(Refusal::RestoreRunning);
        }
        match &session.sandbox {
            Sandbox::Ready { .. } | Sandbox::Paused { .. } if session.has_work() => {
                // It would be made again for the prompt that waits.
                Err(Refusal::TurnRunning { turn: session.turn_number.next() })
            }
            Sandbox::Ready { .. } | Sandbox::Paused { .. } => {
                let (generation, reason) = (session.generation, format!("{by} stopped it"));
                self.record(Event::SandboxReleased { generation, keep_files: true, reason });
                Ok(())
            }
            Sandbox::Requested { .. } | Sandbox::Created { .. } => Err(Refusal::SandboxStarting),
            Sandbox::None | Sandbox::Queued { .. } | Sandbox::BackingOff { .. } => Err(Refusal::NoSandbox),
        }
    }

    /// Recorded no more often than it takes to keep the sandbox from being paused or given back.
    pub(super) fn use_sandbox(&mut self, by: String) -> Result<(), Refusal> {
        match &self.session.sandbox {
            Sandbox::Ready { .. } => {
                let limits = &self.session.spec.limits;
                let idle_ms = limits.pause_ms.min(limits.idle_ms);
                let enough = self.session.busy_at.plus_ms(idle_ms / 4);
                if !self.session.has_work() && self.now >= enough {
                    self.record(Event::SandboxUsed { by });
                }
                Ok(())
            }
            Sandbox::Paused { .. } => {
                self.wake_up(Some(&by));
                Ok(())
            }
            Sandbox::Queued { .. }
            | Sandbox::Requested { .. }
            | Sandbox::Created { .. }
            | Sandbox::BackingOff { .. } => Err(Refusal::SandboxStarting),
            Sandbox::None if self.session.has_work() => Err(Refusal::SandboxStarting),
            Sandbox::None => Err(Refusal::NoSandbox),
        }
    }

    /// What stands still cannot be stopped: it goes on first.
    pub(super) fn wake_up(&mut self, by: Option<&str>) {
        if let Sandbox::Paused { why: Pause::Idle | Pause::Person { .. }, .. } = &self.session.sandbox {
            let generation = self.session.generation;
            self.record(Event::ResumeRequested { generation, by: by.map(str::to_owned) });
        }
    }

    pub(super) fn is_pausing(&self, generation: Generation, of: u32) -> bool {
        generation == self.session.generation
            && matches!(self.session.sandbox, Sandbox::Paused { still: false, pause, .. } if pause == of)
    }

    pub(super) fn is_resuming(&self, generation: Generation, of: u32) -> bool {
        generation == self.session.generation
            && matches!(self.session.sandbox,
                Sandbox::Paused { still: true, pause, why: Pause::Over { .. }, .. } if pause == of)
    }
}

/// Whether somebody did something, so that the sandbox is kept for them.
pub(super) fn is_of_a_person(event: &Event) -> bool {
    matches!(
        event,
        Event::ModelChosen { .. }
            | Event::BudgetSet { .. }
            | Event::PrioritySet { .. }
            | Event::PromptEdited { .. }
            | Event::PromptRemoved { .. }
            | Event::BranchMerged { .. }
            | Event::BranchUpdated { .. }
            | Event::PullRequestPublished { .. }
            | Event::RestoreRequested { .. }
            | Event::PauseRequested { by: Some(_), .. }
            | Event::ResumeRequested { by: Some(_), .. }
            | Event::TerminalOpened { .. }
            | Event::SandboxUsed { .. }
    )
}
