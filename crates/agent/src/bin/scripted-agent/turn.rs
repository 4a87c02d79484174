//! One prompt, step by step. Between any two steps, and inside those that wait, a cancellation is honoured.

mod asking;

use crate::behaviour::Behaviour;
use crate::conversation::{Conversation, goes_on};
use crate::peer::{Heard, Peer, misused};
use crate::script::{self, Step};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often a running command is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// Written at a time when much is written.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Why no further step is taken.
enum Over {
    Cancelled,
    InputEnded,
    Ended(Value),
    Failed(i64, String),
}

pub(crate) struct Turn<'a> {
    peer: &'a Peer,
    behaviour: &'a Behaviour,
    conversation: &'a mut Conversation,
    asked: &'a mut u64,
    calls: u32,
    ignores_cancel: bool,
    /// Requests of ours without an answer.
    open: BTreeSet<u64>,
    /// What an answer to those of them has to be that are questions.
    forms: BTreeMap<u64, Value>,
    /// The client has said that it puts questions to a person.
    may_ask: bool,
    late: Vec<String>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        peer: &'a Peer,
        behaviour: &'a Behaviour,
        conversation: &'a mut Conversation,
        asked: &'a mut u64,
        may_ask: bool,
    ) -> Self {
        Self {
            peer,
            behaviour,
            conversation,
            asked,
            calls: 0,
            ignores_cancel: false,
            open: BTreeSet::new(),
            forms: BTreeMap::new(),
            may_ask,
            late: Vec::new(),
        }
    }

    pub(crate) fn run(mut self, id: &Value, prompt: &str, seen: &[String]) {
        self.conversation.keep("user", prompt);
        seen.iter().for_each(|seen| self.say(seen));
        // What it was interrupted in it does again, from the beginning.
        let interrupted = goes_on(prompt).then(|| self.conversation.interrupted()).flatten();
        let prompt = interrupted.as_deref().unwrap_or(prompt);
        let steps = script::parse(prompt, self.conversation.prompts);
        let over = steps.into_iter().find_map(|step| self.take(step).and_then(|()| self.glance()).err());
        match over.unwrap_or_else(|| Over::Ended("end_turn".into())) {
            Over::Ended(reason) => self.answer(id, &reason),
            Over::Failed(code, message) => self.peer.refuse(id, code, &message),
            Over::Cancelled => {
                self.wait_for_open_requests();
                self.answer(id, &"cancelled".into());
            }
            Over::InputEnded if self.behaviour.deaf => loop {
                std::thread::park();
            },
            Over::InputEnded => std::process::exit(0),
        }
        for text in std::mem::take(&mut self.late) {
            self.say(&text);
        }
    }

    fn answer(&self, id: &Value, reason: &Value) {
        let usage = json!({ "totalTokens": 12, "inputTokens": 10, "outputTokens": 2 });
        self.peer.answer(id, json!({ "stopReason": reason, "usage": usage }));
    }

    fn take(&mut self, step: Step) -> Result<(), Over> {
        match step {
            Step::Say(text) => self.say(&text),
            Step::Think(text) => self.chunk("agent_thought_chunk", &text),
            Step::Plan(entries) => self.plan(&entries),
            Step::Write(path, text) => self.write(&path, &text),
            Step::Run(command) => return self.run_command(&command),
            Step::Stream(chunks, ms) => {
                for n in 1..=chunks {
                    self.chunk("agent_message_chunk", &format!("word-{n} "));
                    self.wait(Some(Duration::from_millis(ms)))?;
                }
            }
            Step::Pieces(ms, pieces) => {
                for piece in pieces {
                    self.chunk("agent_message_chunk", &piece);
                    self.wait(Some(Duration::from_millis(ms)))?;
                }
            }
            Step::Murmur(ms, pieces) => {
                for piece in pieces {
                    eprint!("{piece}");
                    self.wait(Some(Duration::from_millis(ms)))?;
                }
            }
            Step::Ask(title) => return self.ask_and_wait(&title),
            Step::AskForm(question) => return self.ask_form(question),
            Step::AskFlood(times) => {
                for n in 1..=times {
                    self.ask(&format!("flood {n}"));
                }
                while !self.open.is_empty() {
                    self.wait(None)?;
                }
            }
            Step::Call(times, name, input) => {
                for _ in 0..times {
                    self.call(&name, &json!({ "input": input }), "completed", "ok");
                    self.glance()?;
                }
            }
            Step::Fail(times, name) => {
                for n in 1..=times {
                    self.call(&name, &json!({ "attempt": n }), "failed", "it does not work");
                    self.glance()?;
                }
            }
            Step::Wait(ms) => return self.wait(Some(Duration::from_millis(ms))),
            Step::Hang => loop {
                self.wait(None)?;
            },
            Step::IgnoreCancel => self.ignores_cancel = true,
            Step::Child => self.child(),
            Step::Bytes(count) => self.bytes(count),
            Step::Garbage(lines) => (0..lines).for_each(|_| self.peer.write(b"{\"not json\n")),
            Step::Request(method) => {
                let id = self.request(&method, json!({}));
                while self.open.contains(&id) {
                    self.wait(None)?;
                }
            }
            Step::Notify(method) => {
                self.peer.send(&json!({ "jsonrpc": "2.0", "method": method, "params": {} }))
            }
            Step::StrangeUpdate(kind) => self.update(json!({ "sessionUpdate": kind, "strange": true })),
            Step::Log(text) => eprintln!("{text}"),
            Step::Exit(code) => std::process::exit(code),
            Step::Kill(signal) => kill_myself(signal),
            Step::Error(code, message) => return Err(Over::Failed(code, message)),
            Step::Stop(reason) => return Err(Over::Ended(reason.into())),
            Step::Late(text) => self.late.push(text),
        }
        Ok(())
    }

    fn update(&self, update: Value) {
        self.peer.update(&self.conversation.id, update);
    }

    fn chunk(&self, kind: &str, text: &str) {
        self.update(json!({ "sessionUpdate": kind, "content": { "type": "text", "text": text } }));
    }

    fn say(&mut self, text: &str) {
        self.chunk("agent_message_chunk", text);
        self.conversation.keep("agent", text);
    }

    fn plan(&self, entries: &[String]) {
        let entries: Vec<Value> = entries
            .iter()
            .map(|entry| json!({ "content": entry, "priority": "medium", "status": "pending" }))
            .collect();
        self.update(json!({ "sessionUpdate": "plan", "entries": entries }));
    }

    fn start_call(&mut self, name: &str, kind: &str, title: &str, input: &Value) -> String {
        self.calls += 1;
        let id = format!("call-{}-{}", self.conversation.prompts, self.calls);
        self.update(json!({
            "sessionUpdate": "tool_call",
            "toolCallId": id,
            "name": name,
            "title": title,
            "kind": kind,
            "status": "in_progress",
            "rawInput": input,
        }));
        id
    }

    fn end_call(&self, id: &str, status: &str, content: Value) {
        self.update(json!({
            "sessionUpdate": "tool_call_update",
            "toolCallId": id,
            "status": status,
            "content": [content],
        }));
    }

    fn call(&mut self, name: &str, input: &Value, status: &str, output: &str) {
        let id = self.start_call(name, "other", name, input);
        self.end_call(&id, status, text(output));
    }

    fn write(&mut self, path: &str, content: &str) {
        let id = self.start_call(
            "write",
            "edit",
            &format!("Write {path}"),
            &json!({ "path": path, "content": content }),
        );
        let old = fs::read_to_string(path).ok();
        match fs::write(path, content) {
            Ok(()) => {
                let diff = json!({ "type": "diff", "path": path, "oldText": old, "newText": content });
                self.end_call(&id, "completed", diff);
            }
            Err(error) => self.end_call(&id, "failed", text(&error.to_string())),
        }
    }

    fn run_command(&mut self, command: &str) -> Result<(), Over> {
        let id = self.start_call("run", "execute", command, &json!({ "command": command }));
        let output = std::env::temp_dir().join(format!("scripted-agent-{}-{id}", std::process::id()));
        let file = fs::File::create(&output).and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = file.unwrap_or_else(|error| misused(&format!("no temporary file: {error}")));
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| misused(&format!("no shell: {error}")));
        let ended = loop {
            if let Some(status) =
                child.try_wait().unwrap_or_else(|error| misused(&format!("waiting: {error}")))
            {
                break Ok(status.success());
            }
            if let Err(over) = self.wait(Some(GLANCE)) {
                // It may have ended by itself just now.
                let _ = child.kill();
                let _ = child.wait();
                break Err(over);
            }
        };
        let said = fs::read(&output).unwrap_or_default();
        let _ = fs::remove_file(&output);
        let status = if matches!(ended, Ok(true)) { "completed" } else { "failed" };
        self.end_call(&id, status, text(&String::from_utf8_lossy(&said)));
        ended.map(|_| ())
    }

    fn request(&mut self, method: &str, params: Value) -> u64 {
        let id = *self.asked;
        *self.asked += 1;
        self.open.insert(id);
        self.peer.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Looks whether something was said meanwhile.
    fn glance(&mut self) -> Result<(), Over> {
        self.wait(Some(Duration::ZERO))
    }

    /// Waits for so long, or for one message.
    fn wait(&mut self, time: Option<Duration>) -> Result<(), Over> {
        self.next_answer(time).map(|_| ())
    }

    /// The answer to a request of ours, if that is what comes.
    fn next_answer(&mut self, time: Option<Duration>) -> Result<Option<(u64, String)>, Over> {
        let heard = time.map_or_else(|| self.peer.wait(), |time| self.peer.wait_for(time));
        let message = match heard {
            Heard::Message(message) => message,
            Heard::Nothing => return Ok(None),
            Heard::End => return Err(Over::InputEnded),
        };
        match message["method"].as_str() {
            Some("session/cancel") if message["params"]["sessionId"] != self.conversation.id.as_str() => {
                misused(&format!("a cancellation for {}", message["params"]["sessionId"]));
            }
            Some("session/cancel") if self.ignores_cancel => Ok(None),
            Some("session/cancel") => Err(Over::Cancelled),
            Some(method) => misused(&format!("{method} while a prompt is running")),
            None => Ok(Some(self.answered(&message))),
        }
    }

    /// After a cancellation the client answers what is still open.
    fn wait_for_open_requests(&mut self) {
        while !self.open.is_empty() {
            match self.peer.wait() {
                Heard::Message(message) if message["method"].is_null() => {
                    self.answered(&message);
                }
                Heard::Message(message) if message["method"] == "session/cancel" => {}
                Heard::Message(message) => misused(&format!("{message} instead of answers to what is open")),
                Heard::Nothing => {}
                Heard::End => std::process::exit(0),
            }
        }
    }

    fn child(&self) {
        let started = Command::new("setsid")
            .args(["--fork", "/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 3600; done"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        started.unwrap_or_else(|error| misused(&format!("no child: {error}")));
    }

    fn bytes(&self, count: u64) {
        let block = vec![b'x'; usize::try_from(BLOCK_BYTES).expect("64 KiB are addressable")];
        let mut left = count;
        while left > 0 {
            let part = usize::try_from(left.min(BLOCK_BYTES)).expect("at most 64 KiB");
            self.peer.write(&block[..part]);
            left -= part as u64;
        }
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "content", "content": { "type": "text", "text": text } })
}

fn kill_myself(signal: i32) {
    let me = std::process::id();
    // There is no way back from it, so its own result does not matter.
    let _ = Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {me}")]).status();
    loop {
        std::thread::park();
    }
}
