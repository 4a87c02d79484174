//! The agent: it speaks ACP version 1, one line a message, and does by chance what agents do. It has no task of its own, so that it
//! outlives whoever drives it: it says when it wants to act next.

use crate::fault::Fault;
use crate::outage::Beginning;
use crate::universe::{Conversation, Files, Universe, lock};
use crate::weather::Flaw;
use lamplight_domain::SessionId;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Agent {
    session: SessionId,
    /// Its process.
    name: String,
    universe: Arc<Universe>,
    files: Arc<Mutex<Files>>,
    is_initialized: bool,
    /// The conversation that is open.
    open: Option<String>,
    turn: Option<Turn>,
    /// What it does next, each so long after the one before.
    acts: VecDeque<(Duration, Act)>,
    /// When it does the first of them; `None` where there is none, or it waits for an answer.
    due: Option<Duration>,
    requests: u64,
}

struct Turn {
    /// Of the request that it answers.
    id: Value,
    number: u32,
    /// The permission that it waits for.
    asked: Option<u64>,
}

enum Act {
    Answer(Value, Result<Value, Value>),
    EndTurn(Result<&'static str, &'static str>),
    Say,
    Edit,
    Fail,
    Ask,
    AskWhatNobodyServes,
    Murmur,
    Garbage,
    Exit,
}

/// What comes out of an agent.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) exit: Option<i32>,
}

impl Agent {
    pub(crate) fn new(
        session: SessionId,
        name: String,
        universe: Arc<Universe>,
        files: Arc<Mutex<Files>>,
    ) -> Self {
        Self {
            session,
            name,
            universe,
            files,
            is_initialized: false,
            open: None,
            turn: None,
            acts: VecDeque::new(),
            due: None,
            requests: 0,
        }
    }

    /// The moment of the world at which it acts next.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// The turn that it works on.
    pub(crate) fn turn(&self) -> Option<u32> {
        self.turn.as_ref().map(|turn| turn.number)
    }

    /// A message arrives at its standard input.
    pub(crate) fn hear(&mut self, message: &[u8]) {
        self.record(|conversation| conversation.told.push(message.to_vec()));
        let line = message.strip_suffix(b"\n").filter(|line| !line.contains(&b'\n'));
        let Some(value) = line.and_then(|line| serde_json::from_slice::<Value>(line).ok()) else {
            return self.wrong("a message is not one line of JSON");
        };
        let params = value.get("params").cloned().unwrap_or_default();
        match (value.get("method").and_then(Value::as_str), value.get("id")) {
            (Some(method), Some(id)) => self.asked(method, id.clone(), &params),
            (Some("session/cancel"), None) => self.cancelled(&params),
            (Some(method), None) => self.wrong(&format!("there is no notification {method}")),
            (None, Some(id)) => self.answered(id),
            (None, None) => self.wrong("a message is neither a request nor an answer"),
        }
    }

    fn asked(&mut self, method: &str, id: Value, params: &Value) {
        if !self.is_initialized && method != "initialize" {
            return self.wrong(&format!("{method} comes before initialize"));
        }
        match method {
            "initialize" if !self.is_initialized => {
                self.is_initialized = true;
                let can_load = !self.universe.happens(200);
                let capabilities = json!({ "loadSession": can_load });
                self.answer(id, Ok(json!({ "protocolVersion": 1, "agentCapabilities": capabilities })));
            }
            "session/new" if self.open.is_none() => {
                let conversation = format!("{}-conversation", self.name);
                lock(&self.files).conversations.push(conversation.clone());
                self.open = Some(conversation.clone());
                self.answer(id, Ok(json!({ "sessionId": conversation })));
            }
            "session/load" if self.open.is_none() => {
                let conversation = params["sessionId"].as_str().unwrap_or_default().to_owned();
                if lock(&self.files).conversations.contains(&conversation) {
                    self.open = Some(conversation);
                    self.answer(id, Ok(json!({})));
                } else {
                    self.answer(id, Err(json!({ "code": -32002, "message": "no such conversation" })));
                }
            }
            "session/prompt" if self.turn.is_none() && self.is_open(params) => self.prompted(id),
            _ => self.wrong(&format!("{method} comes at a time at which it must not: {params}")),
        }
    }

    fn is_open(&self, params: &Value) -> bool {
        self.open.as_deref() == params["sessionId"].as_str()
    }

    fn prompted(&mut self, id: Value) {
        let number = id.as_str().and_then(|id| id.strip_prefix("prompt-"));
        let number = number.and_then(|number| number.split('-').next()?.parse().ok());
        let Some(number) = number else { return self.wrong(&format!("{id} is no prompt's id")) };
        self.turn = Some(Turn { id, number, asked: None });
        let (fault, odds) = (Fault::ModelAway, self.universe.weather().model);
        if self.universe.model.lasts(&self.universe, &Beginning { fault, odds, most_ms: 180_000 }) {
            // Or it waits for it, until somebody cancels that.
            if self.universe.happens(700) {
                self.plan(2_000, Act::EndTurn(Err("connection error")));
            }
            return;
        }
        let odd = self.universe.happens(self.universe.weather().agent);
        for _ in 0..self.universe.number(0..5) {
            let act = match self.universe.number(0..20) {
                0..9 => Act::Say,
                9..15 => Act::Edit,
                15 => Act::Fail,
                16 | 17 => Act::Ask,
                18 => Act::Murmur,
                _ => Act::AskWhatNobodyServes,
            };
            self.plan(2_000, act);
        }
        match self.universe.number(0..7) {
            0 if odd => self.plan(2_000, Act::Exit),
            1 if odd => self.plan(2_000, Act::Garbage),
            // Says nothing more, until somebody cancels it.
            2 if odd => return,
            3 if odd => self.plan(2_000, Act::EndTurn(Err("connection error"))),
            4 if odd => self.plan(2_000, Act::EndTurn(Err("something is wrong with this request"))),
            5 if odd => return self.plan(60_000, Act::EndTurn(Ok("end_turn"))),
            _ => {}
        }
        self.plan(2_000, Act::Say);
        self.plan(500, Act::EndTurn(Ok("end_turn")));
    }

    /// Most agents do as they are told.
    fn cancelled(&mut self, params: &Value) {
        if !self.is_open(params) {
            return self.wrong(&format!("what is cancelled is not open: {params}"));
        }
        let Some(turn) = &mut self.turn else { return };
        if self.universe.happens(self.universe.weather().agent / 4) {
            return;
        }
        turn.asked = None;
        self.acts.clear();
        self.due = None;
        if matches!(self.universe.flaw, Some(Flaw::EndsLate | Flaw::EndsNothing)) {
            return;
        }
        self.plan(1_500, Act::EndTurn(Ok("cancelled")));
    }

    /// To a request of its own.
    fn answered(&mut self, id: &Value) {
        if let Some(turn) = &mut self.turn
            && turn.asked.is_some()
            && turn.asked == id.as_u64()
        {
            turn.asked = None;
            self.wait();
        }
    }

    fn answer(&mut self, id: Value, result: Result<Value, Value>) {
        let most = if self.universe.happens(self.universe.weather().agent / 8) { 60_000 } else { 400 };
        self.plan(most, Act::Answer(id, result));
    }

    fn plan(&mut self, most_ms: u64, act: Act) {
        let wait = Duration::from_millis(self.universe.number(0..most_ms));
        self.acts.push_back((wait, act));
        self.wait();
    }

    /// For the next thing that it does, unless it does already.
    fn wait(&mut self) {
        let is_asking = self.turn.as_ref().is_some_and(|turn| turn.asked.is_some());
        if self.due.is_none() && !is_asking {
            let now = self.universe.clock.elapsed();
            self.due = self.acts.front().map(|(wait, _)| now + *wait);
        }
    }

    /// Does what is due.
    pub(crate) fn act(&mut self) -> Done {
        self.due = None;
        let Some((_, act)) = self.acts.pop_front() else { return Done::default() };
        let mut done = Done::default();
        match act {
            Act::Answer(id, Ok(result)) => {
                done.line(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
            }
            Act::Answer(id, Err(error)) => {
                done.line(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            }
            Act::EndTurn(how) => {
                let Some(turn) = self.turn.take() else { return done };
                self.record(|conversation| {
                    conversation.said_until.insert(turn.number, conversation.said);
                });
                done.line(&match how {
                    Ok(reason) => {
                        json!({ "jsonrpc": "2.0", "id": turn.id, "result": { "stopReason": reason } })
                    }
                    Err(why) => {
                        json!({ "jsonrpc": "2.0", "id": turn.id, "error": { "code": -32603, "message": why } })
                    }
                });
            }
            Act::Say => {
                let text = self.words();
                let content = json!({ "type": "text", "text": text });
                done.line(
                    &self.update(json!({ "sessionUpdate": "agent_message_chunk", "content": content })),
                );
            }
            Act::Edit => {
                let edit = self.edit();
                done.line(&self.call(&edit, "completed"));
            }
            Act::Fail => {
                let number = self.number();
                done.line(&self.call(&format!("fail-{number}"), "failed"));
            }
            Act::Ask => {
                let number = self.number();
                if let Some(turn) = &mut self.turn {
                    turn.asked = Some(number);
                }
                done.line(&self.ask(number));
            }
            Act::AskWhatNobodyServes => {
                let number = self.number();
                let params = json!({ "sessionId": self.open, "path": "/workspace/README.md" });
                done.line(&json!({ "jsonrpc": "2.0", "id": number, "method": "fs/read_text_file", "params": params }));
            }
            Act::Murmur => {
                let text = format!("murmur {}\n", self.number());
                done.stderr.extend_from_slice(text.as_bytes());
            }
            Act::Garbage => done.stdout.extend_from_slice(b"{\"jsonrpc\": \"2.0\", \n"),
            Act::Exit => done.exit = Some(1),
        }
        self.wait();
        done
    }

    /// Numbered, so that what is lost or doubled on the way is seen.
    fn words(&self) -> String {
        let mut number = 0;
        self.record(|conversation| {
            number = conversation.said;
            conversation.said += 1;
        });
        format!("<{}.{number}>", self.name)
    }

    fn edit(&mut self) -> String {
        let mut files = lock(&self.files);
        files.edits += 1;
        let edit = format!("edit-{}-{}", self.name, files.edits);
        let work = files.content.entry("work.txt".to_owned()).or_default();
        work.push_str(&edit);
        work.push('\n');
        edit
    }

    fn number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    fn update(&self, update: Value) -> Value {
        let params = json!({ "sessionId": self.open, "update": update });
        json!({ "jsonrpc": "2.0", "method": "session/update", "params": params })
    }

    fn call(&self, id: &str, status: &str) -> Value {
        self.update(json!({
            "sessionUpdate": "tool_call", "toolCallId": id, "title": id, "kind": "edit", "status": status,
            "rawInput": { "what": id },
        }))
    }

    fn ask(&self, number: u64) -> Value {
        let options = json!([
            { "optionId": "yes", "name": "Yes", "kind": "allow_once" },
            { "optionId": "no", "name": "No", "kind": "reject_once" },
        ]);
        let call = json!({ "toolCallId": format!("ask-{number}"), "title": "something" });
        let params = json!({ "sessionId": self.open, "toolCall": call, "options": options });
        json!({ "jsonrpc": "2.0", "id": number, "method": "session/request_permission", "params": params })
    }

    fn record(&self, change: impl FnOnce(&mut Conversation)) {
        let mut all = lock(&self.universe.agents);
        change(all.entry((self.session.clone(), self.name.clone())).or_default());
    }

    fn wrong(&self, what: &str) {
        self.universe.wrong(format!("{} of {}: {what}", self.name, self.session));
    }
}

impl Done {
    fn line(&mut self, value: &Value) {
        self.stdout.extend_from_slice(value.to_string().as_bytes());
        self.stdout.push(b'\n');
    }
}
