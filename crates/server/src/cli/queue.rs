//! `lamplight queue`

use super::client::Client;
use super::output::{Output, Style, clean, duration, first_line, plural};
use crate::http::queue::{QueueList, QueuePlaces, QueuedSession, ServerPlaces};
use crate::http::resources::SessionView;
use crate::http::sessions::priority::PriorityRequest;
use clap::Args;
use lamplight_domain::sandbox::Bytes;
use std::process::ExitCode;

/// Characters of a title that are shown.
const TITLE: usize = 48;
/// The random end of an id: enough to tell sessions apart and to name one.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One of those that wait, by its id or a beginning or end of it
    #[arg(requires = "priority")]
    session: Option<String>,
    /// Put it before others (up to 10) or behind them (down to -10); a step is worth ten minutes of waiting
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true, requires = "session")]
    priority: Option<i8>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    if let (Some(session), Some(priority)) = (&arguments.session, arguments.priority) {
        let id = client.resolve(session).await?;
        let path = format!("/sessions/{id}/priority");
        let _view: SessionView = client.post(&path, Some(&PriorityRequest { priority })).await?;
    }
    let list: QueueList = client.get("/queue").await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let more = list.waiting.saturating_sub(list.items.len() as u64);
    if list.items.is_empty() && more == 0 && list.not_answering.is_empty() {
        output.line("Nothing waits for a sandbox.")?;
    }
    for queued in &list.items {
        output.line(&row(queued, output))?;
    }
    if more > 0 {
        output.line(&output.paint(Style::Dim, &format!("     and {more} more")))?;
    }
    output.line(&output.paint(Style::Dim, &format!("Taken: {}.", taken(&list.places))))?;
    for ServerPlaces { server, places } in &list.servers {
        output.line(&output.paint(Style::Dim, &format!("  {}: {}", clean(server), taken(places))))?;
    }
    not_answering(&list.not_answering, "what waits there is not in this list", output)?;
    if !list.items.is_empty() {
        let hint = "Before others: lamplight queue ID --priority 1. Not at all: lamplight stop ID.";
        output.line(&output.paint(Style::Dim, hint))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What sandboxes take, and of how much where there is a bound.
fn taken(places: &QueuePlaces) -> String {
    let sandboxes = match places.max_sandboxes {
        Some(most) => format!("{} of {}", places.sandboxes, plural(most.into(), "sandbox place")),
        None => plural(places.sandboxes.into(), "sandbox place"),
    };
    let memory = places.max_memory_bytes.map(|most| {
        format!(" · memory limits of {} together, of {}", Bytes(places.memory_bytes), Bytes(most))
    });
    format!("{sandboxes}{}", memory.unwrap_or_default())
}

/// Says of which servers a list has nothing, and what that means.
pub(super) fn not_answering(servers: &[String], means: &str, output: &mut Output) -> anyhow::Result<()> {
    for server in servers {
        let said = format!("The server {} does not answer: {means}.", clean(server));
        output.line(&output.paint(Style::Bad, &said))?;
    }
    Ok(())
}

fn row(queued: &QueuedSession, output: &Output) -> String {
    let id = &queued.id[queued.id.len().saturating_sub(SHORT_ID)..];
    let title = first_line(&queued.title, TITLE);
    let wait = match queued.estimated_wait_seconds {
        0 => "now".to_owned(),
        seconds => format!("in about {}", duration(seconds * 1000)),
    };
    let priority =
        if queued.priority == 0 { String::new() } else { format!(" · priority {:+}", queued.priority) };
    let place = queued.server.as_ref().map(|server| format!(" at {}", clean(server))).unwrap_or_default();
    format!(
        "{:>3}  {id}  {title:TITLE$}  {}",
        queued.queue_position,
        output.paint(
            Style::Dim,
            &format!("{wait}{place}{priority} · {} · {}", clean(&queued.person), clean(&queued.reason))
        )
    )
}
