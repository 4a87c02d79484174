//! `lamplight usage`

use super::budget::spent;
use super::client::Client;
use super::output::{Output, Style, clean, count, first_line, plural};
use crate::http::resources::Tokens;
use crate::http::usage::{BudgetWhose, MonthBudget, UsageBy, UsageItem, UsageReport};
use clap::Args;
use lamplight_domain::session::Dollars;
use std::process::ExitCode;

/// Characters of a name that are shown; of a path its end.
const WIDTH: usize = 48;
/// The random end of a session's id, as in `lamplight sessions`.
const SHORT_ID: usize = 8;
/// Characters of the beginning of a moment that are its day.
const DAY: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What is summed up together
    #[arg(long, value_enum, default_value = "repository")]
    by: UsageBy,
    /// A day such as 2026-01-31 or so many days ago such as 30d, in UTC [default: the first of this month]
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let by = serde_json::to_value(arguments.by)?.as_str().unwrap_or_default().to_owned();
    let mut query = vec![("by", by)];
    query.extend(arguments.since.clone().map(|since| ("since", since)));
    let report: UsageReport = client.list("/usage", &query).await?;
    if arguments.json {
        output.json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let since = serde_json::to_value(report.since)?.as_str().unwrap_or_default().to_owned();
    let day = since.get(..DAY).unwrap_or(&since);
    if report.total.requests == 0 {
        output.line(&format!("No model was asked since {day}."))?;
    }
    for item in &report.items {
        output.line(&row(&name(report.by, item), item))?;
    }
    if report.is_cut {
        output.line(&output.paint(Style::Dim, "There are more; a later --since shows fewer."))?;
    }
    if report.items.len() > 1 {
        output.line(&output.paint(Style::Bold, &row(&format!("all since {day}"), &report.total)))?;
    }
    for budget in &report.budgets {
        output.line(&budget_row(budget, output))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `budget of Ada this month   $48.00 of $50.00 (96 %)`
fn budget_row(budget: &MonthBudget, output: &Output) -> String {
    let of = match (budget.whose, &budget.name) {
        (BudgetWhose::Deployment, _) | (_, None) => "all sessions".to_owned(),
        (BudgetWhose::Person | BudgetWhose::Repository, Some(name)) => clean(name),
    };
    let (spent, whole) = (budget.spent_micros, budget.budget_micros);
    let percent = u128::from(spent) * 100 / u128::from(whole.max(1));
    let waits = match budget.reserved_micros {
        0 => String::new(),
        reserved => format!(", {} set aside for what is being answered", Dollars(reserved)),
    };
    let style = match percent {
        0..80 => Style::Dim,
        80..100 => Style::Warm,
        _ => Style::Bad,
    };
    let name = end(&format!("budget of {of} this month"));
    let state = format!("{} of {} ({percent} %){waits}", Dollars(spent), Dollars(whole));
    format!("{name:WIDTH$}  {}", output.paint(style, &state))
}

/// `~/code/payments   12 requests   1.2M in   34.5k out   $3.20  (1.0M cached, 12.0k reasoning)`
fn row(name: &str, item: &UsageItem) -> String {
    let parts = parts(&item.tokens).map(|parts| format!("  ({parts})")).unwrap_or_default();
    format!(
        "{name:WIDTH$}  {:>13}  {:>7} in  {:>7} out  {}{parts}",
        plural(item.requests, "request"),
        count(item.tokens.input),
        count(item.tokens.output),
        spent(item.cost)
    )
}

/// What of the tokens in was read from a cache and written to it, and what of those out was reasoning; nothing where none was.
pub(super) fn parts(tokens: &Tokens) -> Option<String> {
    let parts =
        [(tokens.cached, "cached"), (tokens.cache_written, "cache written"), (tokens.reasoning, "reasoning")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(number, what)| format!("{} {what}", count(number))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn name(by: UsageBy, item: &UsageItem) -> String {
    match by {
        UsageBy::Session => {
            let id = &item.key[item.key.len().saturating_sub(SHORT_ID)..];
            format!("{id}  {}", first_line(item.title.as_deref().unwrap_or_default(), WIDTH - SHORT_ID - 2))
        }
        UsageBy::Repository => end(&clean(&item.key)),
        UsageBy::Prices if item.key.is_empty() => "not written down".to_owned(),
        UsageBy::Person | UsageBy::Model | UsageBy::Prices | UsageBy::Day => first_line(&item.key, WIDTH),
    }
}

/// The end of a path is what tells it from others.
fn end(path: &str) -> String {
    let length = path.chars().count();
    if length <= WIDTH {
        return path.to_owned();
    }
    let kept: String = path.chars().skip(length - WIDTH + 1).collect();
    format!("…{kept}")
}

#[cfg(test)]
mod tests {
    use super::{Tokens, end, parts};

    #[test]
    fn parts_of_tokens_are_told_where_there_are_any() {
        let tokens = Tokens { input: 9_000, output: 800, cached: 0, cache_written: 0, reasoning: 0 };
        assert_eq!(parts(&tokens), None);
        let tokens = Tokens { cached: 4_000, cache_written: 1_500, reasoning: 300, ..tokens };
        assert_eq!(parts(&tokens).as_deref(), Some("4.0k cached, 1.5k cache written, 300 reasoning"));
    }

    #[test]
    fn a_long_path_is_known_by_its_end() {
        assert_eq!(end("/home/ada/code"), "/home/ada/code");
        let long = end(&format!("/home/{}/payments", "x".repeat(60)));
        assert!(
            long.starts_with('…') && long.ends_with("x/payments") && long.chars().count() == 48,
            "{long}"
        );
    }
}
