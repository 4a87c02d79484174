//! Reads one line of an agent's output: what it means for the session, and what it adds to the transcript.

use lamplight_domain::agent::AgentReport;
use lamplight_domain::{Event, TurnNumber};

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
    unreadable_in_a_row: u32,
}

impl Reader {
    /// Reads one line, without its newline. Never fails: what cannot be understood is kept as it is.
    pub fn read(&mut self, _line: &[u8], _listening: Listening) -> Said {
        self.unreadable_in_a_row = 0;
        Said::default()
    }
}
