//! `lamplight guards`, and guards as people read them.

use super::client::Client;
use super::output::{Output, Style, clean, count, duration, plural};
use crate::http::guards::{GuardRuleView, GuardsReport};
use crate::http::resources::{GuardLimit, GuardPer, SessionView, TrippedGuard};
use anyhow::Context;
use clap::Args;
use lamplight_domain::Role;
use lamplight_domain::event::Guard;
use lamplight_domain::session::Dollars;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Of sessions on this repository [default: one that no rule names]
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Of sessions that somebody with this role begins [default: your own]
    #[arg(long)]
    role: Option<Role>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let mut query = Vec::new();
    if let Some(repo) = &arguments.repo {
        let path = std::path::absolute(repo).with_context(|| format!("find {}", repo.display()))?;
        query.push(("repository", path.to_str().context("the path is not UTF-8")?.to_owned()));
    }
    query.extend(arguments.role.map(|role| ("role", role.to_string())));
    let report: GuardsReport = client.list("/guards", &query).await?;
    if arguments.json {
        output.json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let repository =
        report.repository.as_ref().map_or("a repository that no rule names".into(), |path| clean(path));
    let by = match report.rule {
        Some(rule) => format!("rule {rule} of the policy counts"),
        None => "no rule of the policy fits".to_owned(),
    };
    let role = Role::from(report.role);
    output.line(&output.paint(Style::Bold, &format!("{repository}, begun by {role}: {by}")))?;
    for (per, text) in rows(report.guards.iter().map(|row| (row.per, row.guard, row.limit))) {
        output.line(&format!("{per:8} {text}"))?;
    }
    for rule in &report.rules {
        output.line(&output.paint(Style::Dim, &rule_row(rule)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rule_row(rule: &GuardRuleView) -> String {
    let repository = rule.repository.as_ref().map_or("any repository".to_owned(), |path| clean(path));
    let role = rule.role.map_or("anybody", |role| Role::from(role).as_str());
    let says = |row: &GuardLimit| match (row.limit, row.per) {
        (0, _) => format!("{} without bound", row.guard.code()),
        (limit, GuardPer::Turn) => format!("{} a turn", in_words(row.guard, limit)),
        (limit, GuardPer::Session) => format!("{} a session", in_words(row.guard, limit)),
    };
    let says: Vec<_> = rule.guards.iter().map(says).collect();
    let says = if says.is_empty() { "as for all".to_owned() } else { says.join(", ") };
    format!("rule {} · {repository} · {role} · {says}", rule.rule)
}

/// `turn` and `session`, and what each allows.
fn rows(guards: impl Iterator<Item = (GuardPer, Guard, u64)>) -> Vec<(&'static str, String)> {
    let all: Vec<_> = guards.collect();
    let of = |wanted: GuardPer, name: &'static str| {
        let texts: Vec<_> = all
            .iter()
            .filter(|(per, ..)| *per == wanted)
            .map(|(_, guard, limit)| in_words(*guard, *limit))
            .collect();
        (!texts.is_empty()).then(|| (name, texts.join(", ")))
    };
    [of(GuardPer::Turn, "turn"), of(GuardPer::Session, "session")].into_iter().flatten().collect()
}

/// What holds of a session, for `lamplight show`.
pub(super) fn enforced(view: &SessionView) -> Vec<String> {
    let rows = rows(view.guards.iter().map(|row| (row.per, row.guard, row.limit)));
    rows.into_iter().map(|(per, text)| format!("per {per}: {text}")).collect()
}

/// Which guard, and how far it was.
pub(super) fn tripped(tripped: &TrippedGuard) -> String {
    let how_far = match (tripped.counted, tripped.limit) {
        (Some(counted), Some(limit)) => {
            format!(": {} of {}", in_words(tripped.guard, counted), in_words(tripped.guard, limit))
        }
        _ => String::new(),
    };
    format!("{}{how_far}, in turn {}", tripped.guard.code(), tripped.turn)
}

/// So much of what the guard counts.
pub(super) fn in_words(guard: Guard, n: u64) -> String {
    match guard {
        Guard::Steps | Guard::SessionSteps => plural(n, "tool call"),
        Guard::FailuresInARow => format!("{} in a row", plural(n, "failure")),
        Guard::IdenticalCalls => format!("{} in a row", plural(n, "identical call")),
        Guard::Silence => format!("{} of silence", duration(n)),
        Guard::WallClock | Guard::SessionWallClock | Guard::Paused => duration(n),
        Guard::Tokens | Guard::SessionTokens => format!("{} tokens", count(n)),
        Guard::Cost | Guard::Budget | Guard::MonthBudget => Dollars(n).to_string(),
        Guard::Right => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_told_in_what_it_counts() {
        let check = |guard, n, expected: &str| assert_eq!(in_words(guard, n), expected);
        check(Guard::Steps, 1, "1 tool call");
        check(Guard::IdenticalCalls, 3, "3 identical calls in a row");
        check(Guard::SessionWallClock, 7_200_000, "2 h 0 min");
        check(Guard::SessionTokens, 2_000_000, "2.0M tokens");
        check(Guard::Cost, 500_000, "$0.50");
        let stopped = TrippedGuard {
            guard: Guard::Tokens,
            per: GuardPer::Turn,
            turn: 2,
            detail: String::new(),
            limit: Some(1_000),
            counted: Some(1_250),
            can_be_continued: true,
        };
        assert_eq!(tripped(&stopped), "tokens: 1.2k tokens of 1.0k tokens, in turn 2");
    }
}
