//! `lamplight audit`

use super::client::Client;
use super::output::{Output, Style, clean, first_line};
use crate::http::audit::AuditOutcome;
use crate::http::audit::list::{AuditItem, AuditList};
use clap::Args;
use std::process::ExitCode;

/// Characters of a column that are shown.
const ACTION: usize = 20;
const PERSON: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A day such as 2026-01-31 or so many days ago such as 30d, in UTC
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Only what this person asked for
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only this, such as stop_session
    #[arg(long)]
    action: Option<String>,
    /// Only what is about this: the whole id of a session, the name of a key
    #[arg(long)]
    subject: Option<String>,
    /// Only what ended so
    #[arg(long, value_enum)]
    outcome: Option<AuditOutcome>,
    /// So many entries at most, up to 500
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let mut query = vec![("limit", arguments.limit.to_string())];
    let filters = [
        ("since", &arguments.since),
        ("person", &arguments.person),
        ("action", &arguments.action),
        ("subject", &arguments.subject),
    ];
    query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    query.extend(arguments.outcome.map(|outcome| ("outcome", outcome.as_str().to_owned())));
    let list: AuditList = client.list("/audit", &query).await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.items.is_empty() {
        output.line("Nothing of this kind was asked for.")?;
    }
    for item in &list.items {
        output.line(&row(item, output)?)?;
    }
    if list.next_cursor.is_some() {
        output.line(&output.paint(Style::Dim, "There are older ones; say more of what you look for."))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `2026-01-31T10:03:12.123Z  Ada  set_budget  done  01JD…  $2.50`
fn row(item: &AuditItem, output: &Output) -> anyhow::Result<String> {
    let at = serde_json::to_value(item.at)?.as_str().unwrap_or_default().to_owned();
    let person = first_line(item.person.as_deref().unwrap_or("nobody known"), PERSON);
    let action = first_line(&item.action, ACTION);
    let style = match item.outcome {
        AuditOutcome::Done => Style::Good,
        AuditOutcome::Refused => Style::Warm,
        AuditOutcome::Failed | AuditOutcome::Unanswered => Style::Bad,
    };
    let outcome = output.paint(style, &format!("{:10}", item.outcome.as_str()));
    let rest: Vec<String> = [&item.subject, &item.detail, &item.code, &item.address]
        .into_iter()
        .flatten()
        .map(|text| clean(text))
        .collect();
    Ok(format!("{at}  {person:PERSON$}  {action:ACTION$}  {outcome}  {}", rest.join("  ")))
}
