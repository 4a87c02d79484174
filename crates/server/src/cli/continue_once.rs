//! `lamplight continue`

use super::SessionArgument;
use super::client::Client;
use super::guards::in_words;
use super::output::{Output, plural};
use crate::http::resources::SessionView;
use crate::http::sessions::continue_once::ContinueRequest;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// What is to be done, instead of going on with what was interrupted or waits
    #[arg(default_value = "", hide_default_value = true)]
    text: String,
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
    let before = client.session(&id).await?;
    let turn = before.tripped.as_ref().map_or(before.turn, |tripped| tripped.turn);
    let path = format!("/sessions/{id}/continue");
    let request = ContinueRequest { turn, text: arguments.text.clone(), attachments: Vec::new() };
    let view: SessionView = client.post(&path, Some(&request)).await?;
    if arguments.json {
        output.json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    let raised = view.guards.iter().filter(|guard| guard.raised);
    let left = raised.map(|raised| in_words(raised.guard, raised.limit.saturating_sub(raised.counted)));
    let left: Vec<_> = left.collect();
    match left.is_empty() {
        true => output.line("It goes on.")?,
        false => output.line(&format!("It goes on, for {}.", left.join(", ")))?,
    }
    if !view.queued.is_empty() {
        let waits = plural(view.queued.len() as u64, "prompt");
        output.line(&format!("{waits} in its queue, this one before others."))?;
    }
    Ok(ExitCode::SUCCESS)
}
