//! What follows from what an agent says: from its first word to the end of a prompt, and when it breaks the protocol.

use super::decide::Draft;
use super::state::*;
use super::{ATTEMPTS, MAX_REQUESTS_PER_TURN, Session};
use crate::TurnNumber;
use crate::agent::{AgentInput, AgentReport, ModelConfig, Opened, RequestKind};
use crate::event::{Event, Memory, Outcome, RetryPlanned};
use crate::failure::{Failure, FailureClass};

impl Session {
    pub(super) fn input_queued(&mut self, n: u64, input: &AgentInput) {
        self.next_input = n + 1;
        self.inputs.push_back(NumberedInput { n, input: input.clone() });
        if let Agent::Starting { step, .. } = &mut self.agent {
            let memory = step.memory();
            match input {
                AgentInput::ChooseMode { .. } => *step = Step::ChooseMode(memory),
                AgentInput::ChooseModel { .. } => *step = Step::ChooseModel(memory),
                AgentInput::NewSession => {
                    *step =
                        Step::Open(if self.agent_session.is_some() { Memory::Digest } else { Memory::Fresh })
                }
                AgentInput::LoadSession { .. } => *step = Step::Open(Memory::Loaded),
                AgentInput::Initialize
                | AgentInput::Prompt { .. }
                | AgentInput::Cancel { .. }
                | AgentInput::AnswerPermission { .. }
                | AgentInput::AnswerQuestion { .. }
                | AgentInput::Unsupported { .. } => {}
            }
        }
        if let Some(turn) = &mut self.turn {
            turn.requests += u32::from(matches!(input, AgentInput::Unsupported { .. }));
            turn.sent |= matches!(input, AgentInput::Prompt { .. });
        }
    }
}

impl Draft {
    pub(super) fn agent_exited(&mut self, status: Option<crate::agent::ExitStatus>, detail: String) {
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

    pub(super) fn agent_said(&mut self, report: AgentReport) {
        let run = self.session.run;
        match report {
            AgentReport::Initialized { can_load, takes_images } => {
                if !self.is_starting_at(|step| step == Step::Initialize) {
                    return;
                }
                self.record(Event::AgentInitialized { run, can_load, takes_images });
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
                self.permission_asked(request, call, options);
            }
            AgentReport::QuestionAsked { request, question, unfit } => {
                self.question_asked(request, question, unfit);
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
                        return self.record(Event::RetryPlanned(RetryPlanned {
                            turn: number,
                            retry,
                            due,
                            failure,
                        }));
                    }
                    Ok(stop_reason) => Outcome::Completed { stop_reason },
                    Err(failure) => Outcome::Failed { failure },
                };
                self.record(Event::TurnEnded { turn: number, outcome });
            }
        }
    }

    pub(super) fn too_many_requests(&mut self) {
        let text = format!("the agent asked more than {MAX_REQUESTS_PER_TURN} questions in one turn");
        self.agent_broken(Failure::agent(FailureClass::Persistent, text));
    }

    /// The agent cannot be worked with any more: what it runs is killed, and its turn fails with the reason.
    pub(super) fn agent_broken(&mut self, failure: Failure) {
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
}
