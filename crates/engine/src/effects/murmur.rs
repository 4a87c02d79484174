//! What an agent writes to standard error, on its way into the log: in whole lines, and not cut where a secret may begin, because
//! one that is cut by two entries would be found in neither.
//!
//! What waits here is not acknowledged, so that whoever comes after a crash reads it again.

use lamplight_domain::Redactor;
use lamplight_domain::redaction::SHORTEST_SECRET_BYTES;
use std::time::Duration;
use tokio::time::Instant;

/// How long the beginning of a line waits for its end.
const LINE_WAIT: Duration = Duration::from_secs(2);
/// And where it may be the beginning of a secret of which so much is there that it is hardly anything else, as in
/// `session::gathering`.
const MANY_LETTERS_WAIT: Duration = Duration::from_secs(60);
/// A line that has become so long is not waited for; bytes.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Text for the log, and how far standard error is read with it; bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Murmured {
    pub(super) text: String,
    pub(super) end: u64,
}

pub(super) struct Murmur {
    held: Vec<u8>,
    /// Where what is held begins; bytes from the beginning of standard error.
    start: u64,
    /// When it is let go although it may go on.
    until: Option<Instant>,
    /// Since when it waits.
    since: Option<Instant>,
}

impl Murmur {
    pub(super) fn starting_at(start: u64) -> Self {
        Self { held: Vec::new(), start, until: None, since: None }
    }

    /// The next bytes; what may be logged now.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Instant, redactor: &Redactor) -> Option<Murmured> {
        self.held.extend_from_slice(bytes);
        let letters = redactor.unfinished(&self.held);
        let safe = self.held.len() - letters;
        let line = self.held[..safe].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let ready = if self.held.len() - line > MAX_HELD_BYTES { safe } else { line };
        let murmured = self.let_go(ready);
        let wait = if letters < SHORTEST_SECRET_BYTES { LINE_WAIT } else { MANY_LETTERS_WAIT };
        self.since = (!self.held.is_empty()).then(|| self.since.unwrap_or(now));
        self.until = self.since.map(|since| since + wait);
        murmured
    }

    /// When [`Murmur::rest`] is due, if nothing more comes.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Option<Murmured> {
        self.let_go(self.held.len())
    }

    fn let_go(&mut self, bytes: usize) -> Option<Murmured> {
        if bytes == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&self.held[..bytes]).trim_end().to_owned();
        self.held.drain(..bytes);
        self.start += bytes as u64;
        (self.since, self.until) = (None, None);
        Some(Murmured { text, end: self.start })
    }
}

/// The last of what a program said, for people: at most so many characters of it, and without a secret that the cut would hide.
pub(crate) fn last_words(redactor: &Redactor, said: &[u8], most: usize) -> String {
    let said = String::from_utf8_lossy(said);
    let clean = redactor.text(said.trim());
    let skipped = clean.chars().count().saturating_sub(most);
    clean.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::KnownSecret;

    const SECRET: &str = "sk-canary-4f2a/91+b";

    fn redactor() -> Redactor {
        Redactor::new(vec![KnownSecret { name: "openai key".into(), value: SECRET.into() }])
    }

    #[test]
    fn a_secret_is_never_cut_and_every_byte_is_accounted_for() {
        let redactor = redactor();
        let text = format!("é the key\nis {SECRET}, and\n\n{SECRET}");
        for length in 1..=text.len() {
            let mut murmur = Murmur::starting_at(7);
            let pieces = text.as_bytes().chunks(length);
            let heard = pieces.filter_map(|piece| murmur.hear(piece, Instant::now(), &redactor));
            let mut all: Vec<Murmured> = heard.collect();
            all.extend(murmur.rest());
            assert_eq!(all.last().unwrap().end, 7 + text.len() as u64);
            let said: Vec<String> = all.iter().map(|said| redactor.text(&said.text).into_owned()).collect();
            let lines: Vec<&str> =
                said.iter().flat_map(|text| text.lines()).filter(|l| !l.is_empty()).collect();
            let clean = ["é the key", "is [secret openai key], and", "[secret openai key]"];
            assert_eq!(lines, clean, "in pieces of {length}");
        }
    }

    #[test]
    fn what_has_no_end_waits_for_so_long_and_no_longer() {
        let (redactor, now) = (redactor(), Instant::now());
        for (said, wait) in
            [("a line", LINE_WAIT), ("it is s", LINE_WAIT), ("it is sk-canary-", MANY_LETTERS_WAIT)]
        {
            let mut murmur = Murmur::starting_at(0);
            assert_eq!(murmur.hear(said.as_bytes(), now, &redactor), None);
            assert_eq!(murmur.until(), Some(now + wait), "{said}");
            let end = said.len() as u64;
            assert_eq!(murmur.rest(), Some(Murmured { text: said.to_owned(), end }));
            assert_eq!((murmur.until(), murmur.rest()), (None, None));
        }
        let mut murmur = Murmur::starting_at(0);
        let long = format!("{}sk-can", "x".repeat(MAX_HELD_BYTES));
        assert_eq!(murmur.hear(long.as_bytes(), now, &redactor).unwrap().end, MAX_HELD_BYTES as u64);
    }

    #[test]
    fn the_last_words_have_no_end_of_a_secret() {
        let said = format!("{SECRET} is wrong");
        for most in 1..40 {
            assert!(!last_words(&redactor(), said.as_bytes(), most).contains("91+b"), "{most}");
        }
        assert_eq!(last_words(&redactor(), b" one two\n", 3), "two");
    }
}
