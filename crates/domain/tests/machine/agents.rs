//! The agent processes of the world: each is started once, hears each message once, and answers in its own time.

use crate::world::World;
use lamplight_domain::Generation;
use lamplight_domain::agent::{AgentInput, AgentReport, Opened, StopReason};
use lamplight_domain::permission::{OptionKind, PermissionOption};
use lamplight_domain::question::{Choice, Field, FieldValue, Question, Reply, Takes};
use lamplight_domain::session::Report;
use std::collections::{BTreeMap, BTreeSet};

/// An agent process in a sandbox.
#[derive(Debug, Default, Clone)]
pub(crate) struct Process {
    pub(crate) generation: Generation,
    /// What was written to its standard input, by number.
    pub(crate) told: BTreeMap<u64, AgentInput>,
    pub(crate) alive: bool,
    pub(crate) answered: BTreeSet<u64>,
}

impl World {
    /// Starts the process once, writes each message once, and lets it answer the oldest that it has not answered.
    pub(crate) fn run_agent(&mut self, generation: Generation, run: u32) -> Vec<Report> {
        let process = self.agents.entry(run).or_insert_with(|| Process {
            generation,
            alive: true,
            ..Process::default()
        });
        if !process.alive {
            return vec![Report::AgentExited { run, status: None, detail: "it ended".into() }];
        }
        if self.session.inputs().any(|told| matches!(told.input, AgentInput::Prompt { .. })) {
            self.is_up_to_date();
        }
        let process = self.agents.entry(run).or_default();
        for input in self.session.inputs() {
            let told = process.told.entry(input.n).or_insert_with(|| input.input.clone());
            assert_eq!(*told, input.input, "a number is never reused for another message");
        }
        Vec::new()
    }

    /// What a well-behaved agent says to the oldest message that it has not answered; a prompt is answered on demand only.
    pub(crate) fn answer_next(&mut self, run: u32, prompts_too: bool) -> Option<Report> {
        let paused = &self.paused;
        let moves = |process: &Process| process.alive && !paused.contains(&process.generation);
        let process = self.agents.get_mut(&run).filter(|process| moves(process))?;
        let (n, input) = process
            .told
            .iter()
            .find(|(n, _)| !process.answered.contains(n))
            .map(|(n, input)| (*n, input.clone()))?;
        let report = match input {
            AgentInput::Initialize => {
                AgentReport::Initialized { can_load: true, takes_images: self.takes_images }
            }
            AgentInput::NewSession | AgentInput::LoadSession { .. } => {
                AgentReport::SessionOpened(Box::new(Opened {
                    agent_session: "conversation".into(),
                    ..Opened::default()
                }))
            }
            AgentInput::ChooseModel { .. } | AgentInput::ChooseMode { .. } => AgentReport::Configured,
            AgentInput::Prompt { turn, .. } if prompts_too => {
                AgentReport::PromptEnded { turn, result: Ok(StopReason::EndTurn) }
            }
            AgentInput::Prompt { turn, .. } => {
                let cancelled = process.told.values().any(|input| matches!(input, AgentInput::Cancel { .. }));
                if !cancelled {
                    return None;
                }
                AgentReport::PromptEnded { turn, result: Ok(StopReason::Cancelled) }
            }
            AgentInput::Cancel { .. }
            | AgentInput::AnswerPermission { .. }
            | AgentInput::AnswerQuestion { .. }
            | AgentInput::Unsupported { .. } => {
                process.answered.insert(n);
                return None;
            }
        };
        process.answered.insert(n);
        Some(Report::Agent { run, report: Box::new(report) })
    }

    pub(crate) fn ask_permission(&mut self, request: u64) -> Report {
        let options = vec![
            PermissionOption { id: "yes".into(), name: "Yes".into(), kind: OptionKind::AllowOnce },
            PermissionOption { id: "no".into(), name: "No".into(), kind: OptionKind::RejectOnce },
        ];
        let report = AgentReport::PermissionAsked { request: request.into(), call: Box::default(), options };
        Report::Agent { run: self.session.run(), report: Box::new(report) }
    }

    /// Which of two, and a note.
    pub(crate) fn ask_question(&mut self, request: u64, unfit: Option<&str>) -> Report {
        let choice = |value: &str| Choice { value: value.into(), title: value.into(), description: None };
        let field = |name: &str, required: bool, takes: Takes| Field {
            name: name.into(),
            title: None,
            description: None,
            required,
            takes,
        };
        let which = Takes::Choice { choices: vec![choice("left"), choice("right")], default: None };
        let note = Takes::Text { format: None, min_length: None, max_length: Some(10), default: None };
        let question = Question {
            message: "Left or right?".into(),
            fields: vec![field("which", true, which), field("note", false, note)],
            ..Question::default()
        };
        let report = AgentReport::QuestionAsked {
            request: request.into(),
            question: Box::new(question),
            unfit: unfit.map(str::to_owned),
        };
        Report::Agent { run: self.session.run(), report: Box::new(report) }
    }
}

/// "left", or whatever is said instead.
pub(crate) fn which(value: &str) -> Reply {
    Reply::Accepted { content: [("which".to_owned(), FieldValue::Text(value.to_owned()))].into() }
}
