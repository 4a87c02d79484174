//! `lamplight sessions`

use super::client::Client;
use super::output::{Output, Style, clean, duration, first_line};
use crate::clock;
use crate::http::resources::{Phase, SessionSummary};
use crate::http::sessions::children::{Child, ChildList};
use crate::http::sessions::list::SessionList;
use clap::Args;
use std::process::ExitCode;

/// Characters of a title that are shown.
const TITLE: usize = 56;
/// The random end of an id: enough to tell sessions apart and to name one.
const SHORT_ID: usize = 8;
/// Characters of what an agent said last.
const SAID: usize = 80;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those in this phase, such as executing or stuck
    #[arg(long)]
    phase: Option<String>,
    /// Only those that contain these words
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only those that work on this repository
    #[arg(long, value_name = "DIRECTORY")]
    repository: Option<String>,
    /// Those that were put aside with `lamplight archive`, instead of the others
    #[arg(long)]
    archived: bool,
    /// Only the children of this one, with what their agents said last
    #[arg(long, value_name = "SESSION", conflicts_with_all = ["phase", "search", "repository", "archived"])]
    parent: Option<String>,
    #[arg(long, default_value_t = 50)]
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
    if let Some(parent) = &arguments.parent {
        return children(client, &client.resolve(parent).await?, arguments.json, output).await;
    }
    let mut query = vec![("limit", arguments.limit.to_string())];
    query.extend(arguments.phase.clone().map(|phase| ("phase", phase)));
    let whole = |path: &String| {
        // As sessions have it: without links, from the root. One of another machine is taken as it is said.
        std::fs::canonicalize(path).map_or_else(|_| path.clone(), |whole| whole.display().to_string())
    };
    query.extend(arguments.repository.as_ref().map(|path| ("repository", whole(path))));
    query.extend(arguments.archived.then(|| ("archived", "true".to_owned())));
    query.extend(arguments.search.clone().map(|words| ("q", words)));
    let list: SessionList = client.list("/sessions", &query).await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.items.is_empty() {
        output.line("No sessions. Start one with: lamplight run \"what is to be done\"")?;
    }
    for session in &list.items {
        output.line(&row(session, output))?;
    }
    if list.next_cursor.is_some() {
        output.line(&output.paint(Style::Dim, "There are more: --limit shows them."))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn children(
    client: &Client,
    parent: &str,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let list: ChildList = client.get(&format!("/sessions/{parent}/children")).await?;
    if json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.items.is_empty() {
        output.line(&format!(
            "No children. Begin one with: lamplight run --parent {parent} \"what is to be done\""
        ))?;
    }
    for Child { session, last_message, .. } in &list.items {
        let phase = output.paint(style(session.phase), &format!("{:15}", session.phase.as_str()));
        output.line(&format!("{}  {phase}  {}", short(&session.id), first_line(&session.title, TITLE)))?;
        let said = first_line(last_message, SAID);
        let rest = format!("{}{}{said}", clean(&session.branch), if said.is_empty() { "" } else { " · " });
        output.line(&format!("{:SHORT_ID$}  {}", "", output.paint(Style::Dim, &rest)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The end of a session's id, as lists have it.
pub(super) fn short(id: &str) -> &str {
    &id[id.len().saturating_sub(SHORT_ID)..]
}

fn style(phase: Phase) -> Style {
    match phase {
        Phase::Done => Style::Good,
        Phase::Failed | Phase::Stuck => Style::Bad,
        Phase::WaitingForYou | Phase::Executing | Phase::Planning => Style::Warm,
        Phase::Queued | Phase::Starting | Phase::Paused => Style::Dim,
    }
}

fn row(session: &SessionSummary, output: &Output) -> String {
    let age = duration(clock::now().since_ms(session.created_at.0));
    let id = short(&session.id);
    let title = first_line(&session.title, TITLE);
    let warning = if session.is_unsafe { output.paint(Style::Bad, " unsafe ") } else { String::new() };
    format!(
        "{id}  {}{warning}  {title:TITLE$}  {}",
        output.paint(style(session.phase), &format!("{:15}", session.phase.as_str())),
        output.paint(
            Style::Dim,
            &format!("{} · {} · {age} ago", clean(&session.agent), clean(&session.repository))
        ),
    )
}
