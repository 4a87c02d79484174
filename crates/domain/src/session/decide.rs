//! What follows from an input. Commands may be refused; reports are taken or, when stale, ignored, here and nowhere else.

use super::input::{Command, Input, Report};
use super::refusal::Refusal;
use super::state::*;
use super::{ATTEMPTS, MAX_QUEUED_PROMPTS, MAX_REQUESTS_PER_TURN, Session, guards};
use crate::agent::{AgentInput, AgentReport, ModelConfig, Opened, RequestKind};
use crate::event::{Event, Memory, Outcome};
use crate::failure::{Failure, FailureClass};
use crate::permission::{self, Answer, AnsweredBy};
use crate::{PromptId, SessionSpec, Timestamp, TurnNumber};
use serde_json::Value;

/// Events being decided: each is applied to a copy of the state at once, so that the next is decided on what it made.
pub(super) struct Draft {
    pub session: Session,
    pub now: Timestamp,
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
    ) -> Result<Vec<Event>, Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::EmptyPrompt);
        }
        Ok(vec![Event::SessionCreated { spec: Box::new(spec) }, Event::PromptQueued { prompt, text, by }])
    }

    /// What is recorded because of `input` at `now`; nothing when it is stale.
    pub fn decide(&self, now: Timestamp, input: Input) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft { session: self.clone(), now, events: Vec::new() };
        match input {
            Input::Command(command) => draft.command(command)?,
            Input::Report(report) => draft.report(report),
        }
        draft.advance();
        Ok(draft.events)
    }
}

impl Draft {
    fn command(&mut self, command: Command) -> Result<(), Refusal> {
        if self.session.ended {
            return Err(Refusal::Ended);
        }
        match command {
            Command::Prompt { prompt, text, by } => {
                if text.trim().is_empty() {
                    return Err(Refusal::EmptyPrompt);
                }
                if self.session.prompts.len() >= MAX_QUEUED_PROMPTS {
                    return Err(Refusal::QueueFull { limit: MAX_QUEUED_PROMPTS });
                }
                self.record(Event::PromptQueued { prompt, text, by });
            }
            Command::RemovePrompt { prompt, by } => {
                if !self.session.prompts.iter().any(|queued| queued.prompt == prompt) {
                    return Err(Refusal::PromptNotFound);
                }
                self.record(Event::PromptRemoved { prompt, by });
            }
            Command::Stop { by } => self.stop(by)?,
            Command::ChooseModel { model, by } => {
                self.refuse_while_working()?;
                let offered = &self.session.models;
                if !offered.is_empty() && !offered.iter().any(|known| known.id == model) {
                    let offered = offered.iter().map(|known| known.id.clone()).collect();
                    return Err(Refusal::ModelUnknown { model, offered });
                }
                if self.session.model.as_ref() != Some(&model) {
                    self.record(Event::ModelChosen { model, by });
                }
            }
            Command::AnswerPermission { request, option, by } => {
                self.answer_by_person(request, option, by)?
            }
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

    fn refuse_while_working(&self) -> Result<(), Refusal> {
        match (&self.session.turn, &self.session.uncommitted) {
            (Some(turn), _) => Err(Refusal::TurnRunning { turn: turn.number }),
            (None, Some(work)) => Err(Refusal::TurnRunning { turn: work.turn }),
            (None, None) => Ok(()),
        }
    }

    fn queued_prompts(&self) -> Vec<PromptId> {
        self.session.prompts.iter().map(|queued| queued.prompt.clone()).collect()
    }

    /// Stops the turn; before there is one, takes the prompts back. Asking again while it is being stopped changes nothing.
    fn stop(&mut self, by: String) -> Result<(), Refusal> {
        match &self.session.turn {
            Some(turn) if matches!(turn.state, TurnState::Stopping { .. }) => Ok(()),
            Some(turn) => {
                let turn = turn.number;
                self.record(Event::StopRequested { turn, by });
                self.cancel_agent();
                Ok(())
            }
            None if self.session.prompts.is_empty() => Err(Refusal::NoTurnRunning),
            None => {
                for prompt in self.queued_prompts() {
                    self.record(Event::PromptRemoved { prompt, by: by.clone() });
                }
                Ok(())
            }
        }
    }

    /// Tells the agent to cancel, and answers what it still asks: it must not wait for a person while it is stopped.
    fn cancel_agent(&mut self) {
        let Agent::Ready { agent_session, .. } = &self.session.agent else { return };
        let agent_session = agent_session.clone();
        self.tell(AgentInput::Cancel { agent_session });
        let open: Vec<Value> = self
            .session
            .turn
            .iter()
            .flat_map(|turn| &turn.permissions)
            .map(|open| open.request.clone())
            .collect();
        for request in open {
            self.answer(request, Answer::Cancelled, AnsweredBy::Stop);
        }
    }

    fn answer(&mut self, request: Value, answer: Answer, by: AnsweredBy) {
        self.record(Event::PermissionAnswered { request: request.clone(), answer: answer.clone(), by });
        self.tell(AgentInput::AnswerPermission { request, answer });
    }

    fn answer_by_person(
        &mut self,
        request: Value,
        option: Option<String>,
        by: String,
    ) -> Result<(), Refusal> {
        let open =
            self.session.turn.iter().flat_map(|turn| &turn.permissions).find(|open| open.request == request);
        let open = open.ok_or(Refusal::PermissionNotOpen)?;
        let answer = match option {
            None => Answer::Cancelled,
            Some(option) if open.options.iter().any(|offered| offered.id == option) => {
                Answer::Selected { option }
            }
            Some(option) => return Err(Refusal::OptionNotOffered { option }),
        };
        self.answer(request, answer, AnsweredBy::Person { name: by });
        Ok(())
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::SandboxCreated { generation, handle } => {
                if generation == self.session.generation
                    && matches!(self.session.sandbox, Sandbox::Requested { .. })
                {
                    self.record(Event::SandboxCreated { generation, handle });
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
            Report::SandboxLost { generation, detail } => {
                let there = matches!(self.session.sandbox, Sandbox::Created { .. } | Sandbox::Ready { .. });
                if generation == self.session.generation && there {
                    self.sandbox_lost(detail);
                }
            }
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
            Report::WorkCommitted { turn, commit } => {
                if self.owes_commit(turn) {
                    self.record(Event::WorkCommitted { turn, commit });
                }
            }
            Report::WorkNotCommitted { turn, failure } => {
                if self.owes_commit(turn) {
                    self.record(Event::WorkNotCommitted { turn, failure });
                }
            }
            Report::BranchMerged { into, commit, by } => {
                self.record(Event::BranchMerged { into, commit, by })
            }
            Report::Tick => {}
        }
    }

    fn owes_commit(&self, turn: TurnNumber) -> bool {
        self.session.uncommitted.as_ref().is_some_and(|work| work.turn == turn)
    }

    fn sandbox_lost(&mut self, detail: String) {
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

    fn agent_exited(&mut self, status: Option<crate::agent::ExitStatus>, detail: String) {
        let was = self.session.agent.clone();
        self.record(Event::AgentExited { run: self.session.run, status, detail: detail.clone() });
        match self.session.turn.as_ref().map(|turn| &turn.state) {
            Some(TurnState::Sent) => self.fail_turn(Failure::agent(
                FailureClass::Persistent,
                format!("the agent exited in the middle of its turn: {detail}"),
            )),
            Some(TurnState::Interrupted | TurnState::Retrying { .. }) | None
                if matches!(was, Agent::Starting { .. }) =>
            {
                self.fail_turn(Failure::agent(
                    FailureClass::Persistent,
                    format!("the agent did not start: {detail}"),
                ));
            }
            Some(TurnState::Interrupted | TurnState::Retrying { .. } | TurnState::Stopping { .. }) | None => {
            }
        }
    }

    fn agent_said(&mut self, report: AgentReport) {
        let run = self.session.run;
        match report {
            AgentReport::Initialized { can_load } => {
                if !self.is_starting_at(|step| step == Step::Initialize) {
                    return;
                }
                self.record(Event::AgentInitialized { run, can_load });
                match self.session.agent_session.clone() {
                    Some(agent_session) if can_load => self.tell(AgentInput::LoadSession { agent_session }),
                    Some(_) | None => self.tell(AgentInput::NewSession),
                }
            }
            AgentReport::SessionOpened(opened) => self.session_opened(*opened),
            AgentReport::Configured => {
                if self.is_starting_at(|step| matches!(step, Step::ChooseMode(_) | Step::ChooseModel(_))) {
                    self.configure();
                }
            }
            AgentReport::RequestFailed { what, failure } => self.request_failed(what, failure),
            AgentReport::PromptEnded { turn, result } => self.prompt_ended(turn, result),
            AgentReport::PermissionAsked { request, call, options } => {
                let Some(turn) = &self.session.turn else {
                    return self.tell(AgentInput::AnswerPermission { request, answer: Answer::Cancelled });
                };
                if turn.requests >= MAX_REQUESTS_PER_TURN {
                    return self.too_many_requests();
                }
                let (turn, stopping) = (turn.number, turn.state != TurnState::Sent);
                let deadline = self.now.plus_ms(self.session.spec.limits.permission_ms);
                let at_once = permission::at_once(self.session.spec.permissions, &options);
                self.record(Event::PermissionAsked {
                    turn,
                    request: request.clone(),
                    call,
                    options,
                    deadline,
                });
                match at_once {
                    _ if stopping => self.answer(request, Answer::Cancelled, AnsweredBy::Stop),
                    Some(answer) => self.answer(request, answer, AnsweredBy::Policy),
                    None => {}
                }
            }
            AgentReport::UnknownRequest { request, method } => {
                if self.session.turn.as_ref().is_some_and(|turn| turn.requests >= MAX_REQUESTS_PER_TURN) {
                    return self.too_many_requests();
                }
                self.tell(AgentInput::Unsupported { request, method });
            }
            AgentReport::ProtocolBroken { failure } => self.agent_broken(failure),
        }
    }

    fn is_starting_at(&self, at: impl Fn(Step) -> bool) -> bool {
        matches!(&self.session.agent, Agent::Starting { step, .. } if at(*step))
    }

    fn session_opened(&mut self, mut opened: Opened) {
        let Agent::Starting { step: Step::Open(memory), opened: None, .. } = self.session.agent else {
            return;
        };
        if let (Memory::Loaded, Some(agent_session)) = (memory, &self.session.agent_session) {
            opened.agent_session = agent_session.clone();
        }
        self.record(Event::AgentOpened { run: self.session.run, opened: Box::new(opened), memory });
        if memory == Memory::Digest {
            self.record(Event::Noted { text: "The agent could not load its earlier conversation; the next prompt begins with a digest of it.".into() });
        }
        self.configure();
    }

    /// The next step from an open conversation to an agent that is ready: its mode, then its model.
    fn configure(&mut self) {
        let Agent::Starting { step, opened: Some(opened), .. } = self.session.agent.clone() else { return };
        let agent_session = opened.agent_session.clone();
        let mode = self
            .session
            .spec
            .mode
            .clone()
            .filter(|mode| opened.modes.contains(mode) && opened.mode.as_ref() != Some(mode));
        if let (Step::Open(_), Some(mode)) = (step, mode) {
            return self.tell(AgentInput::ChooseMode { agent_session, mode });
        }
        if let (Step::Open(_) | Step::ChooseMode(_), Some(model), Some(config)) =
            (step, self.wanted_model(&opened), opened.model_config.clone())
        {
            return self.choose_model(agent_session, config, model, &opened);
        }
        self.record(Event::AgentReady { run: self.session.run });
    }

    fn wanted_model(&self, opened: &Opened) -> Option<String> {
        self.session.model.clone().filter(|model| opened.model.as_ref() != Some(model))
    }

    fn choose_model(&mut self, agent_session: String, config: ModelConfig, model: String, opened: &Opened) {
        if opened.models.is_empty() || opened.models.iter().any(|known| known.id == model) {
            return self.tell(AgentInput::ChooseModel { agent_session, config, model });
        }
        let instead = opened.model.as_deref().unwrap_or("its default");
        self.record(Event::Noted {
            text: format!("The agent does not offer the model {model}; it works with {instead}."),
        });
        self.record(Event::AgentReady { run: self.session.run });
    }

    fn request_failed(&mut self, what: RequestKind, failure: Failure) {
        match what {
            RequestKind::LoadSession if self.is_starting_at(|step| step == Step::Open(Memory::Loaded)) => {
                self.tell(AgentInput::NewSession);
            }
            RequestKind::ChooseModel | RequestKind::ChooseMode => {
                if self.is_starting_at(|step| matches!(step, Step::ChooseMode(_) | Step::ChooseModel(_))) {
                    self.record(Event::Noted {
                        text: format!("The agent refused a setting: {}", failure.message),
                    });
                    self.configure();
                }
            }
            RequestKind::Initialize | RequestKind::NewSession | RequestKind::LoadSession => {
                if matches!(self.session.agent, Agent::Starting { .. }) {
                    self.agent_broken(failure);
                }
            }
            RequestKind::Prompt => {}
        }
    }

    fn prompt_ended(&mut self, number: TurnNumber, result: Result<crate::agent::StopReason, Failure>) {
        let Some(turn) = self.session.turn.as_ref().filter(|turn| turn.number == number) else { return };
        match &turn.state {
            // What it left running is killed without waiting for the grace to end.
            TurnState::Stopping { .. } => self.record(Event::CancelAnswered { turn: number }),
            TurnState::Interrupted | TurnState::Retrying { .. } => {}
            TurnState::Sent => {
                let outcome = match result {
                    Err(failure) if failure.class == FailureClass::Transient && turn.retries < ATTEMPTS => {
                        let retry = turn.retries + 1;
                        let due = self.now.plus_ms(self.session.back_off_ms(retry));
                        return self.record(Event::RetryPlanned { turn: number, retry, due, failure });
                    }
                    Ok(stop_reason) => Outcome::Completed { stop_reason },
                    Err(failure) => Outcome::Failed { failure },
                };
                self.record(Event::TurnEnded { turn: number, outcome });
            }
        }
    }

    fn too_many_requests(&mut self) {
        let text = format!("the agent asked more than {MAX_REQUESTS_PER_TURN} questions in one turn");
        self.agent_broken(Failure::agent(FailureClass::Persistent, text));
    }

    /// The agent cannot be worked with any more: what it runs is killed, and its turn fails with the reason.
    fn agent_broken(&mut self, failure: Failure) {
        let run = self.session.run;
        match self.session.turn.as_ref().map(|turn| (turn.number, turn.state.clone())) {
            Some((turn, TurnState::Sent)) => {
                self.record(Event::AgentBroken { run, detail: failure.message.clone() });
                self.record(Event::TurnEnded { turn, outcome: Outcome::Failed { failure } });
            }
            Some((_, TurnState::Stopping { .. })) => {
                self.record(Event::AgentBroken { run, detail: failure.message })
            }
            Some((_, TurnState::Interrupted | TurnState::Retrying { .. })) | None => {
                let waits = matches!(self.session.agent, Agent::Starting { .. });
                self.record(Event::AgentBroken { run, detail: failure.message.clone() });
                if waits {
                    self.fail_turn(failure);
                }
            }
        }
    }

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
