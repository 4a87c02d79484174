//! `lamplight compare`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, Style, clean, first_line, plural};
use super::run::numbers;
use crate::http::resources::{Phase, SessionView};
use crate::http::sessions::attempts::{Attempt, AttemptList};
use clap::Args;
use std::process::ExitCode;

/// Characters of a message that are shown.
const MESSAGE: usize = 100;
/// The random end of an id: enough to tell sessions apart and to name one.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let list: AttemptList = client.get(&format!("/sessions/{id}/attempts")).await?;
    if arguments.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&list, client, output)?;
    Ok(ExitCode::SUCCESS)
}

/// All of them, one under the other, and what can be done.
pub(super) fn show(list: &AttemptList, client: &Client, output: &mut Output) -> anyhow::Result<()> {
    for attempt in &list.items {
        for line in lines(attempt, output) {
            output.line(&line)?;
        }
    }
    let Some(first) = list.items.first() else { return Ok(()) };
    let is_open = first.session.attempts.as_ref().is_some_and(|attempts| attempts.taken.is_none());
    if is_open {
        output.line(&output.paint(Style::Dim, "Take one: lamplight take ID. The others are ended then."))?;
    }
    output.line(&output.paint(Style::Dim, &client.comparison(&first.session.id)))?;
    Ok(())
}

fn lines(attempt: &Attempt, output: &Output) -> Vec<String> {
    let session = &attempt.session;
    let number = session.attempts.as_ref().map_or(0, |attempts| attempts.number);
    let id = &session.id[session.id.len().saturating_sub(SHORT_ID)..];
    let style = match session.phase {
        Phase::Done => Style::Good,
        Phase::Failed | Phase::Stuck => Style::Bad,
        Phase::WaitingForYou | Phase::Executing | Phase::Planning => Style::Warm,
        Phase::Queued | Phase::Starting | Phase::Paused => Style::Dim,
    };
    let phase = output.paint(style, &format!("{:15}", session.phase.as_str()));
    let model = session.model.as_deref().map(|model| format!(" {model}")).unwrap_or_default();
    let who = clean(&format!("{}{model}", session.agent));
    let how = output.paint(Style::Dim, &format!("{who} {}", numbers(session)));
    let mut lines = vec![format!("{number}  {id}  {phase}  {}{how}", standing(session, output))];
    let changed = attempt.changed.filter(|changed| changed.files > 0).map(|changed| {
        format!("{} +{} −{}", plural(changed.files.into(), "file"), changed.insertions, changed.deletions)
    });
    let checks = session.checks.as_ref().map(super::checks::in_words);
    let facts: Vec<String> = changed.into_iter().chain(checks).collect();
    lines.extend((!facts.is_empty()).then(|| format!("   {}", facts.join(" · "))));
    let said = first_line(attempt.last_message.trim(), MESSAGE);
    lines.extend((!said.is_empty()).then(|| format!("   {}", output.paint(Style::Dim, &said))));
    lines
}

/// Whether it was taken, or another.
fn standing(session: &SessionView, output: &Output) -> String {
    match session.attempts.as_ref().and_then(|attempts| attempts.taken.as_ref()) {
        Some(taken) if taken.session == session.id => {
            output.paint(Style::Good, &format!("taken by {}  ", clean(&taken.by)))
        }
        Some(_) => output.paint(Style::Dim, "left  "),
        None => String::new(),
    }
}
