//! How many passed, failed and were skipped, taken from the last lines of those who ran them.

use anyhow::{Context, Result};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::iter::Sum;
use std::process::{Command, Stdio};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    pub(super) fn passed(passed: usize) -> Self {
        Self { passed, ..Self::default() }
    }

    pub(super) fn failed(failed: usize) -> Self {
        Self { failed, ..Self::default() }
    }

    pub(super) fn skipped(why: &str) -> Self {
        println!("skipped: {why}");
        Self { skipped: 1, ..Self::default() }
    }

    /// Runs a command, showing what it says; every line that begins so is counted.
    pub(super) fn of(command: &mut Command, summary: &str) -> Result<Self> {
        let name = crate::command::line(command);
        let (reader, writer) = std::io::pipe()?;
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().with_context(|| format!("start {name}"))?;
        // Ours still hold the writing end; without this the reading would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut tally = Self::default();
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            if line.trim_start().starts_with(summary) {
                tally = tally + Self::read(&line);
            }
        }
        let succeeded = child.wait()?.success();
        // It may have failed before it ran anything.
        if !succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok(tally)
    }

    /// The numbers before the words, as in `12 passed, 1 failed`.
    fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '.').collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let mut tally = Self::default();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => tally.passed += number,
                "failed" | "timed" => tally.failed += number,
                "skipped" | "ignored" => tally.skipped += number,
                _ => {}
            }
        }
        tally
    }
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| sum + tally)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_all_runners_are_read() {
        let check = |line, passed, failed, skipped| {
            assert_eq!(Tally::read(line), Tally { passed, failed, skipped });
        };
        check(
            "Summary [   0.5s] 14 tests run: 11 passed (1 slow), 2 failed, 1 timed out, 3 skipped",
            11,
            3,
            3,
        );
        check("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 5, 0, 1);
        check("      Tests  3 failed | 12 passed | 1 skipped (16)", 12, 3, 1);
    }

    #[test]
    fn a_command_that_fails_before_it_counts_has_failed_once() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo Summary 2 passed; exit 0"]);
        assert_eq!(Tally::of(&mut command, "Summary").unwrap(), Tally::passed(2));
        let mut command = Command::new("sh");
        command.args(["-c", "echo does not compile >&2; exit 101"]);
        assert_eq!(Tally::of(&mut command, "Summary").unwrap(), Tally::failed(1));
    }
}
