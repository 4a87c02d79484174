//! Cuts an agent's standard output into lines, and says where in the output each ends.
//!
//! ```text
//! bytes ──push──▶ kept (an unfinished line, at most MAX_LINE_BYTES) ──newline──▶ Line { text, end }
//!                   └──over the bound──▶ LineTooLong, once; everything after it is thrown away
//! ```

use bytes::{Bytes, BytesMut};
use lamplight_domain::{Failure, FailureClass};

/// The longest line that is read, without its newline. Agents put whole files into one line; this is the size of one
/// that a person could still look at.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// One complete line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Without the newline.
    pub text: Bytes,
    /// How many bytes of the whole output end with this line, its newline included: what a log that knows this line
    /// accounts for.
    pub end: u64,
}

/// The agent wrote more than [`MAX_LINE_BYTES`] without a newline. Nothing that it writes is read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a line of the agent's output is longer than {MAX_LINE_BYTES} bytes (16 MiB); it starts at byte {start}"
)]
pub struct LineTooLong {
    pub start: u64,
}

impl From<LineTooLong> for Failure {
    fn from(error: LineTooLong) -> Self {
        Failure::agent(
            FailureClass::Persistent,
            format!(
                "The agent broke the protocol: {error}. It was stopped; start a new turn or use another agent."
            ),
        )
    }
}

/// The splitter. Holds at most one unfinished line.
#[derive(Debug)]
pub struct Lines {
    kept: BytesMut,
    /// Bytes of the whole output that were pushed.
    seen: u64,
    broken: bool,
}

impl Lines {
    /// `offset` is where in the whole output the next pushed byte stands: 0, or the end of a line that was read before.
    pub fn starting_at(offset: u64) -> Self {
        Self { kept: BytesMut::new(), seen: offset, broken: false }
    }

    /// Takes the next bytes and gives the lines that they complete, in order. An error is the last item ever given.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Result<Line, LineTooLong>> {
        let mut lines = Vec::new();
        while !self.broken && !bytes.is_empty() {
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..newline.unwrap_or(bytes.len())];
            if self.kept.len() + part.len() > MAX_LINE_BYTES {
                lines.push(Err(LineTooLong { start: self.seen - self.kept.len() as u64 }));
                self.broken = true;
                self.kept = BytesMut::new();
                break;
            }
            self.kept.extend_from_slice(part);
            self.seen += part.len() as u64;
            bytes = &bytes[part.len()..];
            if newline.is_some() {
                self.seen += 1;
                bytes = &bytes[1..];
                lines.push(Ok(Line { text: self.kept.split().freeze(), end: self.seen }));
            }
        }
        lines
    }

    /// Bytes of an unfinished line that are held.
    pub fn held(&self) -> usize {
        self.kept.len()
    }
}
