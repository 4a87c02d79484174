//! What has happened to a lent sandbox, or while a template was built, as its owner may read it. Of now: it ends with the server.

use super::lock;
use crate::clock;
use lamplight_domain::Timestamp;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Lines that are kept; the oldest go first.
const LINES: usize = 5_000;

/// The longest line, in bytes.
const LINE: usize = 4096;

/// All that are kept, in bytes: there are as many of these as there are sandboxes and templates.
const BYTES: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JournalLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    pub at: Timestamp,
    pub level: JournalLevel,
    pub message: String,
    /// Of what a step of a template prints: which, counted from 1.
    pub step: Option<usize>,
}

/// Lines in their order, each with a number that counts those which were forgotten too.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    forgotten: usize,
    kept: VecDeque<JournalLine>,
    /// Of those that are kept.
    bytes: usize,
}

impl Journal {
    pub(super) fn say(&self, message: impl Into<String>) {
        self.add(JournalLevel::Info, None, message.into());
    }

    pub(super) fn add(&self, level: JournalLevel, step: Option<usize>, mut message: String) {
        if message.len() > LINE {
            let end = (0..=LINE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
        }
        let mut lines = lock(&self.0);
        lines.bytes += message.len();
        lines.kept.push_back(JournalLine { at: clock::now(), level, message, step });
        while lines.kept.len() > LINES || lines.bytes > BYTES {
            let Some(oldest) = lines.kept.pop_front() else { return };
            lines.bytes -= oldest.message.len();
            lines.forgotten += 1;
        }
    }

    /// Those behind the first so many, and no more than so many.
    pub(super) fn read(&self, after: usize, at_most: usize) -> Vec<JournalLine> {
        let lines = lock(&self.0);
        let skipped = after.saturating_sub(lines.forgotten);
        lines.kept.iter().skip(skipped).take(at_most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_when_others_are_forgotten() {
        let journal = Journal::default();
        for number in 0..LINES + 10 {
            journal.say(number.to_string());
        }
        let said = |after, at_most| {
            journal.read(after, at_most).into_iter().map(|line| line.message).collect::<Vec<_>>()
        };
        assert_eq!(said(0, 2), ["10", "11"]);
        assert_eq!(said(20, 1), ["20"]);
        assert_eq!(said(LINES + 10, 5), Vec::<String>::new());
        journal.say("é".repeat(LINE));
        assert_eq!(said(LINES + 10, 5)[0].len(), LINE);
    }

    #[test]
    fn long_lines_are_fewer() {
        let journal = Journal::default();
        (0..LINES).for_each(|_| journal.say("x".repeat(LINE)));
        assert_eq!(journal.read(0, LINES).len(), BYTES / LINE);
        assert_eq!(journal.read(LINES - 1, LINES).len(), 1, "the last one has its number");
    }
}
