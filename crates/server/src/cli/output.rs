//! What goes to the terminal.

use super::client::ClientError;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Characters on a line of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 79;

/// Standard output, with colours only where a person looks at it.
#[derive(Debug)]
pub(super) struct Output {
    out: io::Stdout,
    is_terminal: bool,
    pub colours: bool,
}

/// The few styles that we use, as SGR parameters (ECMA-48, 8.3.117).
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Warm,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warm => "33",
        }
    }
}

impl Output {
    pub(super) fn new() -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out, is_terminal, colours }
    }

    /// How many characters a status line may have; `None` where nobody watches.
    pub(super) fn status_width(&self) -> Option<usize> {
        if !self.is_terminal {
            return None;
        }
        let columns = rustix::termios::tcgetwinsize(&self.out).map_or(0, |size| size.ws_col);
        Some(if columns == 0 { USUAL_WIDTH } else { usize::from(columns) - 1 })
    }

    /// The text in that style, where colours are shown.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colours, style, text)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// One JSON document on one line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Tells what went wrong and what to do, on standard error. A reader that closed the pipe is no failure.
    pub(super) fn failure(&mut self, error: &anyhow::Error) -> ExitCode {
        let closed =
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if closed {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error:#}");
        if let Some(ClientError::Refused(problem)) = error.downcast_ref::<ClientError>() {
            eprintln!("  {}", problem.what_to_do);
        }
        ExitCode::FAILURE
    }
}

pub(super) fn paint(colours: bool, style: Style, text: &str) -> String {
    if colours { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
}

/// Text of an agent or a repository, without what a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The first line, cut to that many characters.
pub(super) fn first_line(text: &str, width: usize) -> String {
    let line = clean(text.trim().lines().next().unwrap_or_default());
    if line.chars().count() <= width {
        return line;
    }
    let cut: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// `0.4 s`, `14 s`, `3 min 20 s`, `2 h 5 min`; cut and not rounded.
pub(super) fn duration(ms: u64) -> String {
    if ms < 10_000 {
        return format!("{}.{} s", ms / 1_000, ms / 100 % 10);
    }
    let seconds = ms / 1_000;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// `950`, `12.3k`, `4.5M`; integers only, cut and not rounded.
pub(super) fn count(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{}.{}k", n / 1_000, n / 100 % 10),
        _ => format!("{}.{}M", n / 1_000_000, n / 100_000 % 10),
    }
}

/// `1 step`, `2 steps`.
pub(super) fn plural(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0, 999, 1_000, 12_345, 4_560_000].map(count), ["0", "999", "1.0k", "12.3k", "4.5M"]);
        assert_eq!(
            [950, 14_000, 200_000, 7_500_000].map(duration),
            ["0.9 s", "14 s", "3 min 20 s", "2 h 5 min"]
        );
    }

    #[test]
    fn text_of_others_cannot_drive_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\x07\tc\nd\u{9b}31m"), "a[2Jb\tc\nd31m");
        assert_eq!(first_line("  one\x1b two\nthree", 6), "one t…");
        assert_eq!(paint(false, Style::Bad, "x"), "x");
    }
}
