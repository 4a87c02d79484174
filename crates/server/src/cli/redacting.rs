//! Where log lines go: without secrets.

use lamplight_domain::Redaction;
use std::io::{self, Write};

/// A line comes in one piece from `tracing_subscriber::fmt`, so that no secret is cut in two.
pub(super) struct Redacting<W> {
    pub redaction: Redaction,
    pub out: W,
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let redactor = self.redaction.now();
        if redactor.find(line, 0).is_none() {
            self.out.write_all(line)?;
        } else {
            let text = String::from_utf8_lossy(line);
            self.out.write_all(redactor.text(&text).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::KnownSecret;

    #[test]
    fn a_line_has_the_name_where_a_secret_was() {
        let redaction = Redaction::default();
        redaction.learn([KnownSecret { name: "openai key".to_owned(), value: "sk-canary-4f2a".to_owned() }]);
        let mut log = Redacting { redaction, out: Vec::new() };
        log.write_all(b"{\"error\":\"no sk-canary-4f2a here\"}\n").unwrap();
        log.write_all(b"nothing\n").unwrap();
        assert_eq!(log.out, b"{\"error\":\"no [secret openai key] here\"}\nnothing\n");
    }
}
