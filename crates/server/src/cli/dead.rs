//! `lamplight dead`

use super::client::Client;
use super::output::{Output, Style, clean, duration, first_line};
use crate::clock;
use crate::http::resources::SessionSummary;
use crate::http::sessions::list::{MAX_LIMIT, SessionList};
use clap::Args;
use std::process::ExitCode;

/// Characters of a title that are shown.
const TITLE: usize = 48;
/// The random end of an id: enough to tell sessions apart and to name one.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let query = [("dead", "true".to_owned()), ("limit", MAX_LIMIT.to_string())];
    let list: SessionList = client.list("/sessions", &query).await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.items.is_empty() {
        output.line("No session has come to nothing for want of a sandbox or the like.")?;
    }
    for session in &list.items {
        output.line(&row(session, output))?;
    }
    if !list.items.is_empty() {
        output.line(&output.paint(Style::Dim, "Try one again: lamplight retry ID."))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(session: &SessionSummary, output: &Output) -> String {
    let id = &session.id[session.id.len().saturating_sub(SHORT_ID)..];
    let title = first_line(&session.title, TITLE);
    let age = duration(clock::now().since_ms(session.updated_at.0));
    let reason = session.reason.as_deref().map(clean).unwrap_or_default();
    format!(
        "{id}  {title:TITLE$}  {}\n{:10}{}",
        output.paint(Style::Dim, &format!("{age} ago")),
        "",
        output.paint(Style::Bad, &reason)
    )
}
