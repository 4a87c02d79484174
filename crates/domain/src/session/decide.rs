//! What follows from an input. Commands may be refused; reports are taken or, when stale, ignored, here and nowhere else.

use super::input::{Command, Input, Report};
use super::place::Room;
use super::refusal::Refusal;
use super::state::*;
use super::{ATTEMPTS, MAX_CONTACTS, MAX_QUEUED_PROMPTS, Session};
use crate::agent::AgentInput;
use crate::event::{Contact, Event, Outcome};
use crate::failure::{Failure, FailureClass};
use crate::{Attachment, Generation, PromptId, SessionSpec, Timestamp, TurnNumber};

/// Events being decided: each is applied to a copy of the state at once, so that the next is decided on what it made.
pub(super) struct Draft {
    pub session: Session,
    pub now: Timestamp,
    pub room: Room,
    pub events: Vec<Event>,
}

impl Draft {
    pub(super) fn record(&mut self, event: Event) {
        self.session.apply_event(&event, self.now);
        self.events.push(event);
    }

    pub(super) fn tell(&mut self, input: AgentInput) {
        let (run, n) = (self.session.run, self.session.next_input);
        self.record(Event::InputQueued { run, n, input });
    }
}

impl Session {
    /// The first events of a session.
    pub fn create(
        spec: SessionSpec,
        prompt: PromptId,
        text: String,
        by: String,
        attachments: Vec<Attachment>,
    ) -> Result<Vec<Event>, Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::EmptyPrompt);
        }
        Ok(vec![
            Event::SessionCreated { spec: Box::new(spec) },
            Event::PromptQueued { prompt, text, by, attachments, again: false },
        ])
    }

    /// What is recorded because of `input` at `now`; nothing when it is stale. `room` is for a sandbox of this session's, if it has none.
    pub fn decide(&self, now: Timestamp, room: Room, input: Input) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft { session: self.clone(), now, room, events: Vec::new() };
        match input {
            Input::Command(command) => draft.command(command)?,
            Input::Report(report) => draft.report(report),
        }
        draft.advance();
        Ok(draft.events)
    }

    /// Whether the log is to have this: no more than [`MAX_CONTACTS`], and none twice for another port.
    fn is_news(&self, contact: &Contact) -> bool {
        let same = |known: &Contact| {
            known.host == contact.host && known.refused.is_some() == contact.refused.is_some()
        };
        self.contacts.len() < MAX_CONTACTS && !self.contacts.iter().any(same)
    }
}

impl Draft {
    fn command(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Archive { by } if !self.session.archived => {
                self.record(Event::SessionArchived { by });
                return Ok(());
            }
            Command::Unarchive { by } if self.session.archived => {
                self.record(Event::SessionUnarchived { by });
                return Ok(());
            }
            Command::Archive { .. } | Command::Unarchive { .. } => return Ok(()),
            Command::TakeAttempt { session, by } => return self.take_attempt(session, by),
            _ if self.session.ended() || self.session.is_left() => return Err(Refusal::Ended),
            Command::Prompt { prompt, text, by, attachments } => {
                if text.trim().is_empty() {
                    return Err(Refusal::EmptyPrompt);
                }
                if self.session.prompts.len() >= MAX_QUEUED_PROMPTS {
                    return Err(Refusal::QueueFull { limit: MAX_QUEUED_PROMPTS });
                }
                if let Some(guard) = self.session.spent().next() {
                    return Err(self.session.refusal(guard));
                }
                if self.session.turn.is_none() {
                    self.wake_up(Some(&by));
                }
                self.record(Event::PromptQueued { prompt, text, by, attachments, again: false });
            }
            Command::Retry { prompt, by } => self.retry(prompt, by)?,
            Command::EditPrompt { prompt, text, by } => {
                if text.trim().is_empty() {
                    return Err(Refusal::EmptyPrompt);
                }
                let queued = self.session.prompts.iter().find(|queued| queued.prompt == prompt);
                if queued.ok_or(Refusal::PromptNotFound)?.text != text {
                    self.record(Event::PromptEdited { prompt, text, by });
                }
            }
            Command::RemovePrompt { prompt, by } => {
                if !self.session.prompts.iter().any(|queued| queued.prompt == prompt) {
                    return Err(Refusal::PromptNotFound);
                }
                self.record(Event::PromptRemoved { prompt, by });
            }
            Command::Continue { turn, prompt, asked, by, role, at_most } => {
                self.continue_once(turn, prompt, asked, by, role, &at_most)?;
            }
            Command::Stop { by } => self.stop(by)?,
            Command::Pause { by } => self.pause(by)?,
            Command::Resume { by } => self.resume(by)?,
            Command::Release { by } => self.release(&by)?,
            Command::UseSandbox { by } => self.use_sandbox(by)?,
            Command::Restore { checkpoint, by } => {
                self.refuse_while_working()?;
                self.restore(checkpoint, by)?;
            }
            Command::UpdateBranch { head, commit, to_check, by } => {
                self.update_branch(&head, commit, to_check, by)?;
            }
            Command::ChooseModel { model, offered_elsewhere, by } => {
                self.refuse_while_working()?;
                let offered = &self.session.models;
                if !offered_elsewhere && !offered.is_empty() && !offered.iter().any(|known| known.id == model)
                {
                    let offered = offered.iter().map(|known| known.id.clone()).collect();
                    return Err(Refusal::ModelUnknown { model, offered });
                }
                if self.session.model.as_ref() != Some(&model) {
                    self.record(Event::ModelChosen { model, by });
                }
            }
            Command::BeginChild { child, bounds } => self.begin_child(child, bounds)?,
            Command::SetBudget { budget_micros, by } => {
                self.record(Event::BudgetSet { budget_micros, by });
            }
            Command::SetPriority { priority, by } => {
                if self.session.priority != priority {
                    self.record(Event::PrioritySet { priority, by });
                }
            }
            Command::AnswerPermission { request, option, by } => {
                self.answer_by_person(request, option, by)?
            }
            Command::AnswerQuestion { request, reply, by } => self.reply_by_person(request, reply, by)?,
            Command::End { by } => {
                self.refuse_while_working()?;
                for prompt in self.queued_prompts() {
                    self.record(Event::PromptRemoved { prompt, by: by.clone() });
                }
                self.record(Event::SessionEnded { by });
            }
        }
        Ok(())
    }

    pub(super) fn refuse_while_working(&self) -> Result<(), Refusal> {
        match (&self.session.turn, &self.session.uncommitted) {
            (Some(turn), _) => Err(Refusal::TurnRunning { turn: turn.number }),
            (None, Some(work)) => Err(Refusal::TurnRunning { turn: work.turn }),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn queued_prompts(&self) -> Vec<PromptId> {
        self.session.prompts.iter().map(|queued| queued.prompt.clone()).collect()
    }

    /// Stops the turn; before there is one, takes the prompts back. Asking again while it is being stopped changes nothing, unless it stands
    /// still, as it may in older logs: it could be paused then.
    pub(super) fn stop(&mut self, by: String) -> Result<(), Refusal> {
        let stopped = self.stop_checks(&by);
        match &self.session.turn {
            Some(turn) if matches!(turn.state, TurnState::Stopping { .. }) => {
                self.wake_up(Some(&by));
                Ok(())
            }
            Some(turn) => {
                let turn = turn.number;
                self.wake_up(Some(&by));
                self.record(Event::StopRequested { turn, by });
                self.cancel_agent();
                Ok(())
            }
            None if self.session.prompts.is_empty() && !stopped => Err(Refusal::NoTurnRunning),
            None => {
                for prompt in self.queued_prompts() {
                    self.record(Event::PromptRemoved { prompt, by: by.clone() });
                }
                Ok(())
            }
        }
    }

    /// Tells the agent to cancel, and answers what it still asks: it must not wait for a person while it is stopped.
    pub(super) fn cancel_agent(&mut self) {
        let Agent::Ready { agent_session, .. } = &self.session.agent else { return };
        let agent_session = agent_session.clone();
        self.tell(AgentInput::Cancel { agent_session });
        self.answer_for_stop();
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::SetupBegun { generation, command, timeout_ms } => {
                if self.is_requested(generation) {
                    self.record(Event::SetupBegun { generation, command, timeout_ms });
                }
            }
            Report::SetupEnded { generation, failure } => {
                if self.is_requested(generation) {
                    self.record(Event::SetupEnded { generation, failure });
                }
            }
            Report::SandboxCreated { generation, handle, enforced } => {
                if self.is_requested(generation) {
                    self.record(Event::SandboxCreated { generation, handle, enforced });
                }
            }
            Report::SandboxFailed { generation, failure } => {
                let starting =
                    matches!(self.session.sandbox, Sandbox::Requested { .. } | Sandbox::Created { .. });
                if generation == self.session.generation && starting {
                    self.start_failed(failure);
                }
            }
            Report::WorkspacePrepared { generation, base_commit } => {
                if generation == self.session.generation
                    && matches!(self.session.sandbox, Sandbox::Created { .. })
                {
                    self.record(Event::WorkspacePrepared { generation, base_commit });
                }
            }
            Report::SandboxPaused { generation, pause } => {
                if self.is_pausing(generation, pause) {
                    self.record(Event::SandboxPaused { generation });
                }
            }
            Report::PauseFailed { generation, pause, detail } => {
                if self.is_pausing(generation, pause) {
                    self.record(Event::PauseFailed { generation, detail });
                }
            }
            Report::SandboxResumed { generation, pause } => {
                if self.is_resuming(generation, pause) {
                    self.record(Event::SandboxResumed { generation });
                }
            }
            Report::SandboxLost { generation, detail } => {
                let there = matches!(
                    self.session.sandbox,
                    Sandbox::Created { .. } | Sandbox::Ready { .. } | Sandbox::Paused { .. }
                );
                if generation == self.session.generation && there {
                    self.sandbox_lost(detail);
                }
            }
            Report::CheckpointKept { checkpoint, name } => self.checkpoint_made(checkpoint, Ok(name)),
            Report::CheckpointFailed { checkpoint, detail } => self.checkpoint_made(checkpoint, Err(detail)),
            Report::FilesRestored { restore } => self.restore_ended(restore, Ok(())),
            Report::RestoreFailed { restore, detail } => self.restore_ended(restore, Err(detail)),
            Report::SandboxDestroyed { generation, keep_files } => {
                let owed = self.session.released.get(&generation);
                if owed.is_some_and(|released| released.keep_files == keep_files) {
                    self.record(Event::SandboxDestroyed { generation });
                }
            }
            Report::Agent { run, report } => {
                if run == self.session.run
                    && !matches!(self.session.agent, Agent::None | Agent::Ending { .. })
                {
                    self.agent_said(*report);
                }
            }
            Report::AgentExited { run, status, detail } => {
                if run == self.session.run && self.session.agent != Agent::None {
                    self.agent_exited(status, detail);
                }
            }
            Report::BranchPushed { run, commit } => {
                if let (true, Some(turn)) = (run == self.session.run, &self.session.turn) {
                    let turn = turn.number;
                    self.record(Event::BranchPushed { turn, commit });
                }
            }
            Report::HostContacted { generation, contact } => {
                let there = matches!(self.session.sandbox, Sandbox::Created { .. } | Sandbox::Ready { .. });
                if generation == self.session.generation && there && self.session.is_news(&contact) {
                    let turn = self.session.turn_number;
                    self.record(Event::HostContacted { turn, contact });
                }
            }
            Report::WorkCommitted { turn, commit, to_check } => {
                if self.owes_commit(turn) {
                    let id = commit.as_ref().map(|commit| commit.id.clone());
                    self.record(Event::WorkCommitted { turn, commit });
                    if let Some(id) = id {
                        self.checks_follow(turn, &id, to_check);
                    }
                }
            }
            Report::ChecksEnded { check, verdict, commands, prompt } => {
                self.checks_ended(check, verdict, commands, prompt);
            }
            Report::WorkNotCommitted { turn, failure } => {
                if self.owes_commit(turn) {
                    self.record(Event::WorkNotCommitted { turn, failure });
                }
            }
            Report::WorkspaceUpdated { commit } => self.workspace_updated(commit, Ok(())),
            Report::WorkspaceNotUpdated { commit, detail } => self.workspace_updated(commit, Err(detail)),
            Report::BranchMerged { into, commit, by } => {
                self.record(Event::BranchMerged { into, commit, by })
            }
            Report::PullRequestPublished { pull_request, by } => {
                self.record(Event::PullRequestPublished { pull_request, by })
            }
            Report::PlaceWanted => self.place_wanted(),
            Report::MonthBudget(month) => self.month_budget(month),
            Report::ChildSpent { session, cost_micros } => self.child_spent(session, cost_micros),
            Report::ParentEnded { by } => self.parent_ended(by),
            Report::RightLost { by, detail } => self.right_lost(&by, detail),
            Report::Tick => {}
        }
    }

    fn is_requested(&self, generation: Generation) -> bool {
        generation == self.session.generation && matches!(self.session.sandbox, Sandbox::Requested { .. })
    }

    fn owes_commit(&self, turn: TurnNumber) -> bool {
        self.session.uncommitted.as_ref().is_some_and(|work| work.turn == turn)
    }

    pub(super) fn sandbox_lost(&mut self, detail: String) {
        let generation = self.session.generation;
        self.record(Event::SandboxLost { generation, detail: detail.clone() });
        self.record(Event::SandboxReleased {
            generation,
            keep_files: true,
            reason: "the sandbox was lost".into(),
        });
        let Some(turn) = self.session.turn.as_ref().filter(|turn| turn.state == TurnState::Interrupted)
        else {
            return;
        };
        let number = turn.number;
        let failure = if turn.pushed {
            Failure::infrastructure(
                FailureClass::NeedsYou,
                format!(
                    "the sandbox was lost after this turn had pushed ({detail}); look at the branch, then prompt to go on"
                ),
            )
        } else if turn.attempt >= ATTEMPTS {
            let text =
                format!("the sandbox was lost {} times in this turn, the last time: {detail}", turn.attempt);
            Failure::infrastructure(FailureClass::Persistent, text)
        } else {
            return self.record(Event::Noted {
                text:
                    "The sandbox was lost. A new one is started from its files, and the prompt is sent again."
                        .into(),
            });
        };
        self.record(Event::TurnEnded { turn: number, outcome: Outcome::Failed { failure } });
    }
}
