//! Reads one line of an agent's output: what it means for the session, and what it adds to the transcript.
//!
//! ```text
//! line ─▶ message ─┬─ answer ───────▶ answers, opened ─▶ reports      (told apart by our own ids)
//!                  ├─ request ──────▶ requests, questions ─▶ reports
//!                  ├─ notification ─▶ updates, tools ──▶ events       (dropped while a conversation is loaded)
//!                  └─ unreadable ───▶ noted as it is; too many in a row ─▶ ProtocolBroken
//! ```
//!
//! Agents are read generously: fields may be missing, lists may hold strange items, updates may come early or late.
//! What has a place in the transcript is put there, anything else from `session/update` is kept raw. The schema's types
//! are used where they lose nothing; they skip list items that they do not know, so tool calls are read by hand.

mod answers;
mod failures;
mod message;
mod opened;
mod questions;
mod requests;
mod tools;
mod updates;

use lamplight_domain::agent::{AgentReport, StopReason};
use lamplight_domain::{Event, Failure, FailureClass, TurnNumber};
use message::Message;

/// So many lines in a row that are not JSON-RPC, and the agent is taken for something else than an agent. A program
/// that prints a banner or a stack trace stays below it.
pub const MAX_UNREADABLE_IN_A_ROW: u32 = 100;

/// How much of an unreadable line is kept.
pub const MAX_NOTE_BYTES: usize = 2 * 1024;

/// What the log says the agent is doing; it decides where the agent's words belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// From the input that loads a conversation to its answer: what the agent says is the past, told again, and is in
    /// the log already.
    Loading,
    /// Otherwise: the newest turn, running or ended (late words belong to it), or 0 before the first.
    Turn(TurnNumber),
}

/// What one line said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// For the machine, in order.
    pub reports: Vec<AgentReport>,
    /// For the transcript, in order; to be logged before the reports are decided about.
    pub events: Vec<Event>,
}

/// Reads lines, one after the other.
#[derive(Debug, Default)]
pub struct Reader {
    /// Starts again with every reader: after a restart of ours an agent is only given more patience.
    unreadable_in_a_row: u32,
    /// The agent's last words were an error: goose tells it as text, and then ends its turn as if all were well. Known
    /// for the few lines between the two; a restart in between loses it, and the turn then ends as the agent says.
    last_words: Option<Failure>,
}

impl Reader {
    /// Reads one line, without its newline. Never fails: what cannot be understood is kept as it is.
    pub fn read(&mut self, line: &[u8], listening: Listening) -> Said {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Said::default();
        }
        let message = match message::parse(line) {
            Ok(message) => message,
            Err(why) => return self.unreadable(line, &why),
        };
        self.unreadable_in_a_row = 0;
        match message {
            Message::Answer { id, result } => self.instead_of_success(answers::read(&id, result)),
            Message::Request { id, method, params } => Said::report(requests::read(id, method, &params)),
            Message::Notification { method, params } => match (method.as_str(), listening) {
                ("session/update", Listening::Turn(turn)) => {
                    let events = updates::read(params, turn);
                    self.remember_last_words(&events);
                    Said { reports: Vec::new(), events }
                }
                _ => Said::default(),
            },
        }
    }

    fn remember_last_words(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::AgentSpoke { text, .. } => self.last_words = failures::told_as_text(text),
                Event::AgentThought { .. } | Event::ToolCalled { .. } => self.last_words = None,
                _ => {}
            }
        }
    }

    fn instead_of_success(&mut self, mut said: Said) -> Said {
        for report in &mut said.reports {
            if let AgentReport::PromptEnded { result, .. } = report {
                let last_words = self.last_words.take();
                if let (Ok(StopReason::EndTurn), Some(failure)) = (&result, last_words) {
                    *result = Err(failure);
                }
            }
        }
        said
    }

    fn unreadable(&mut self, line: &[u8], why: &str) -> Said {
        self.unreadable_in_a_row += 1;
        let (kept, more) = if line.len() > MAX_NOTE_BYTES { (whole_words(line), " …") } else { (line, "") };
        let kept = String::from_utf8_lossy(kept);
        let events = vec![Event::AgentLogged { text: format!("(not a message: {why}) {kept}{more}\n") }];
        let mut said = Said { reports: Vec::new(), events };
        if self.unreadable_in_a_row == MAX_UNREADABLE_IN_A_ROW {
            said.reports.push(AgentReport::ProtocolBroken {
                failure: Failure::agent(
                    FailureClass::Persistent,
                    format!(
                        "The agent broke the protocol: {MAX_UNREADABLE_IN_A_ROW} lines of its output in a row are \
                         not messages. It was stopped; see its log, and that its command speaks ACP on standard output."
                    ),
                ),
            });
        }
        said
    }
}

/// The beginning of a long line, which ends between two words: half a secret would not be known as one.
fn whole_words(line: &[u8]) -> &[u8] {
    let end = line[..MAX_NOTE_BYTES].iter().rposition(u8::is_ascii_whitespace);
    &line[..end.unwrap_or_default()]
}

impl Said {
    fn report(report: AgentReport) -> Self {
        Self { reports: vec![report], events: Vec::new() }
    }
}
