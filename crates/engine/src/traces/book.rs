//! What has begun and what has ended in one session, and to which prompt each belongs.

use super::span::{Attributes, Kind, Span, SpanId, TraceId};
use lamplight_domain::event::Outcome;
use lamplight_domain::transcript::{ToolCall, ToolStatus};
use lamplight_domain::{PromptId, Seq, SessionId, SessionSpec, Timestamp, TurnNumber};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Turns whose spans may still come.
const TURNS_KEPT: usize = 8;

/// What has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Open {
    Wait,
    Sandbox,
    Setup,
    Workspace,
    Agent,
    Commit,
    Checks(u32),
    Tool(String),
    /// Of a permission or a question.
    Asked(String),
}

struct Begun {
    seq: Seq,
    at: Timestamp,
    prompt: PromptId,
    name: String,
    attributes: Attributes,
}

/// What a span is a part of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Under {
    Prompt,
    /// The agent's work on it.
    Work,
}

struct Turn {
    prompt: PromptId,
    seq: Seq,
    started: Timestamp,
}

/// One session, as far as its log has been read.
pub(super) struct Book {
    session: SessionId,
    pub(super) spec: Option<Box<SessionSpec>>,
    /// What was said when, and is not answered yet, in the order in which it will be.
    waiting: VecDeque<(PromptId, Timestamp)>,
    turns: BTreeMap<TurnNumber, Turn>,
    /// The prompt that the agent works on, and when it was said.
    current: Option<(PromptId, Timestamp)>,
    open: HashMap<Open, Begun>,
    closed: Vec<Span>,
}

impl Book {
    pub(super) fn new(session: SessionId) -> Self {
        Self {
            session,
            spec: None,
            waiting: VecDeque::new(),
            turns: BTreeMap::new(),
            current: None,
            open: HashMap::new(),
            closed: Vec::new(),
        }
    }

    /// A prompt that waits to be answered; one that is tried again goes before the others.
    pub(super) fn said(&mut self, prompt: PromptId, at: Timestamp, again: bool) {
        if again { self.waiting.push_front((prompt, at)) } else { self.waiting.push_back((prompt, at)) }
    }

    pub(super) fn taken_back(&mut self, prompt: &PromptId) {
        self.waiting.retain(|(waits, _)| waits != prompt);
    }

    pub(super) fn last_turn(&self) -> Option<TurnNumber> {
        self.turns.last_key_value().map(|(turn, _)| *turn)
    }

    /// What has ended since this was asked last.
    pub(super) fn closed(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.closed)
    }

    /// Whose trace something belongs to that names no turn: of the prompt that is worked on, or of the next one.
    fn prompt(&self) -> Option<&PromptId> {
        self.current.as_ref().or_else(|| self.waiting.front()).map(|(prompt, _)| prompt)
    }

    pub(super) fn begin(
        &mut self,
        (seq, at): (Seq, Timestamp),
        what: Open,
        name: &str,
        attributes: Attributes,
    ) {
        if let Some(prompt) = self.prompt().cloned() {
            self.open.insert(what, Begun { seq, at, prompt, name: name.to_owned(), attributes });
        }
    }

    pub(super) fn begin_in(&mut self, (seq, at): (Seq, Timestamp), what: Open, turn: TurnNumber, name: &str) {
        if let Some(Turn { prompt, .. }) = self.turns.get(&turn) {
            let (prompt, name) = (prompt.clone(), name.to_owned());
            self.open.insert(what, Begun { seq, at, prompt, name, attributes: Vec::new() });
        }
    }

    pub(super) fn end(&mut self, now: (Seq, Timestamp), what: &Open, failure: Option<String>) {
        self.end_with(now, what, failure, Vec::new());
    }

    pub(super) fn end_with(
        &mut self,
        (_, end): (Seq, Timestamp),
        what: &Open,
        failure: Option<String>,
        more: Attributes,
    ) {
        let Some(Begun { seq, at, prompt, name, mut attributes }) = self.open.remove(what) else { return };
        attributes.extend(more);
        let parent = match what {
            Open::Tool(_) | Open::Asked(_) => self.work_of(&prompt),
            Open::Wait
            | Open::Sandbox
            | Open::Setup
            | Open::Workspace
            | Open::Agent
            | Open::Commit
            | Open::Checks(_) => SpanId::root(&prompt),
        };
        self.closed.push(Span {
            trace: TraceId::of(&prompt),
            id: SpanId::at(&self.session, seq, word(what)),
            parent: Some(parent),
            name,
            kind: Kind::Internal,
            start: at,
            end,
            attributes,
            failure,
        });
    }

    /// The span of the agent's work on a prompt; of the whole trace before it begins.
    fn work_of(&self, prompt: &PromptId) -> SpanId {
        let turn = self.turns.values().rev().find(|turn| turn.prompt == *prompt);
        turn.map_or_else(|| SpanId::root(prompt), |turn| SpanId::at(&self.session, turn.seq, WORK))
    }

    pub(super) fn sandbox_is_gone(&mut self, now: (Seq, Timestamp), why: &str) {
        for what in [Open::Setup, Open::Workspace, Open::Agent, Open::Sandbox] {
            self.end(now, &what, Some(why.to_owned()));
        }
    }

    pub(super) fn turn_started(&mut self, (seq, at): (Seq, Timestamp), turn: TurnNumber, prompt: PromptId) {
        let place = self.waiting.iter().position(|(waits, _)| *waits == prompt);
        let said = place.and_then(|place| self.waiting.remove(place)).map_or(at, |(_, said)| said);
        self.turns.insert(turn, Turn { prompt: prompt.clone(), seq, started: at });
        while self.turns.len() > TURNS_KEPT {
            self.turns.pop_first();
        }
        self.current = Some((prompt, said));
    }

    pub(super) fn tool(&mut self, now: (Seq, Timestamp), call: &ToolCall) {
        let what = Open::Tool(call.id.clone());
        if !self.open.contains_key(&what) {
            let tool = call.name.as_deref().or(call.kind.as_deref()).unwrap_or("tool");
            let attributes = vec![
                ("gen_ai.operation.name", json!("execute_tool")),
                ("gen_ai.tool.call.id", json!(call.id)),
            ];
            self.begin(now, what.clone(), &format!("execute_tool {tool}"), attributes);
        }
        match call.status {
            Some(ToolStatus::Completed) => self.end(now, &what, None),
            Some(ToolStatus::Failed) => self.end(now, &what, Some("the tool failed".to_owned())),
            Some(ToolStatus::Pending | ToolStatus::InProgress) | None => {}
        }
    }

    pub(super) fn turn_ended(&mut self, now: (Seq, Timestamp), turn: TurnNumber, outcome: &Outcome) {
        let at = now.1;
        let unended = self.open.keys().filter(|what| matches!(what, Open::Tool(_) | Open::Asked(_)));
        for what in unended.cloned().collect::<Vec<_>>() {
            self.end(now, &what, Some("it was not ended when the turn was".to_owned()));
        }
        let Some((prompt, said)) = self.current.take() else { return };
        let Some(Turn { started, seq, .. }) = self.turns.get(&turn) else { return };
        let (how, failure) = match outcome {
            Outcome::Completed { .. } => ("completed", None),
            Outcome::Stopped { .. } => ("stopped", None),
            Outcome::Tripped { detail, .. } => ("tripped", Some(detail.clone())),
            Outcome::Failed { failure } => ("failed", Some(failure.message.clone())),
        };
        let agent = self.spec.as_ref().map_or("agent", |spec| spec.agent.as_str());
        let (trace, root) = (TraceId::of(&prompt), SpanId::root(&prompt));
        let work = Span {
            trace,
            id: SpanId::at(&self.session, *seq, WORK),
            parent: Some(root),
            name: format!("invoke_agent {agent}"),
            kind: Kind::Internal,
            start: *started,
            end: at,
            attributes: vec![
                ("gen_ai.operation.name", json!("invoke_agent")),
                ("gen_ai.agent.name", json!(agent)),
            ],
            failure: failure.clone(),
        };
        let whole = Span {
            trace,
            id: root,
            parent: None,
            name: "prompt".to_owned(),
            kind: Kind::Server,
            start: said,
            end: at,
            attributes: self.about(turn, how),
            failure,
        };
        self.closed.extend([work, whole]);
        self.begin_in(now, Open::Commit, turn, "commit");
    }

    fn about(&self, turn: TurnNumber, how: &str) -> Attributes {
        let mut attributes = vec![
            ("session.id", Value::from(self.session.to_string())),
            ("lamplight.turn", json!(turn.0)),
            ("lamplight.outcome", json!(how)),
        ];
        if let Some(spec) = &self.spec {
            attributes.extend([
                ("lamplight.repository", json!(spec.repository)),
                ("lamplight.branch", json!(spec.branch)),
                ("lamplight.person", json!(spec.person.name)),
            ]);
        }
        attributes
    }

    /// Of something that one entry tells from its beginning to its end.
    pub(super) fn asked(
        &mut self,
        (turn, seq): (TurnNumber, Seq),
        under: Under,
        name: String,
        (start, end): (Timestamp, Timestamp),
        attributes: Attributes,
    ) {
        let prompt = self.turns.get(&turn).map(|turn| &turn.prompt).or_else(|| self.prompt()).cloned();
        let Some(prompt) = prompt else { return };
        let parent = match under {
            Under::Work => self.work_of(&prompt),
            Under::Prompt => SpanId::root(&prompt),
        };
        let (trace, id, kind) = (TraceId::of(&prompt), SpanId::at(&self.session, seq, ASKED), Kind::Client);
        self.closed.push(Span {
            trace,
            id,
            parent: Some(parent),
            name,
            kind,
            start,
            end,
            attributes,
            failure: None,
        });
    }
}

/// What [`SpanId::at`] tells the agent's work by, and what somebody outside was asked.
const WORK: &str = "work";
const ASKED: &str = "asked outside";

/// Two that begin with one entry are told apart by it.
fn word(what: &Open) -> &'static str {
    match what {
        Open::Wait => "wait",
        Open::Sandbox => "sandbox",
        Open::Setup => "setup",
        Open::Workspace => "workspace",
        Open::Agent => "agent",
        Open::Commit => "commit",
        Open::Checks(_) => "checks",
        Open::Tool(_) => "tool",
        Open::Asked(_) => "asked",
    }
}
