//! What a repository's own checks say, in words.

use super::output::{Style, clean, duration, first_line};
use super::render::short;
use crate::http::resources::{CheckCommand, Checks, ChecksState};
use lamplight_domain::{CheckPlan, CheckedCommand, Verdict};

/// Characters of a command.
const WIDTH: usize = 60;

/// Such as `passed at 7fd1a60b0: cargo test (exit 0, 12 s)`.
pub(super) fn in_words(checks: &Checks) -> String {
    let state = match checks.state {
        ChecksState::Nothing => "none: the repository names no checks",
        ChecksState::Running => "run",
        ChecksState::Passed => "passed",
        ChecksState::Failed => "failed",
        ChecksState::NotRun => "did not run",
        ChecksState::Stopped => "stopped",
    };
    let why = checks.why.as_ref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
    if checks.state == ChecksState::Nothing {
        return format!("{state}{why}");
    }
    let commands: Vec<_> = checks.commands.iter().map(command).collect();
    let detected = checks.detected.as_ref().map(|file| format!(", detected by {}", clean(file)));
    format!(
        "{state} at {}{why}: {}{}",
        short(&checks.commit),
        commands.join("; "),
        detected.unwrap_or_default()
    )
}

fn command(CheckCommand { command, result, ms, .. }: &CheckCommand) -> String {
    let name = first_line(command, WIDTH);
    match (result, ms) {
        (Some(result), Some(ms)) => format!("{name} ({}, {})", clean(result), duration(*ms)),
        _ => name,
    }
}

pub(super) fn begun(commit: &str, plan: &CheckPlan) -> String {
    let commands: Vec<_> = plan.commands.iter().map(|command| first_line(command, WIDTH)).collect();
    let detected = plan.detected.as_ref().map(|file| format!(" (detected by {})", clean(file)));
    format!("checking {}: {}{}", short(commit), commands.join("; "), detected.unwrap_or_default())
}

/// A line, and how it is painted.
pub(super) fn ended(verdict: &Verdict, commands: &[CheckedCommand]) -> (Style, String) {
    let commands: Vec<_> = commands
        .iter()
        .map(|ran| format!("{} ({}, {})", first_line(&ran.command, WIDTH), ran.how(), duration(ran.ms)))
        .collect();
    let commands = commands.join("; ");
    match verdict {
        Verdict::Passed => (Style::Good, format!("✔ checks passed: {commands}")),
        Verdict::Failed => (Style::Bad, format!("✗ checks failed: {commands}")),
        Verdict::NotRun { why } => (Style::Warm, format!("the checks did not run: {}", clean(why))),
        Verdict::Stopped { by } => (Style::Warm, format!("the checks were stopped by {}", clean(by))),
    }
}

pub(super) fn nothing(why: Option<&String>) -> String {
    let why = why.map(|why| format!(": {}", clean(why))).unwrap_or_default();
    format!("nothing to check: the repository names no checks{why}")
}
