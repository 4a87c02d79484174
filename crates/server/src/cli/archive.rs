//! `lamplight archive`

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use crate::http::resources::SessionView;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Put it back into the list
    #[arg(long)]
    undo: bool,
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
    let verb = if arguments.undo { "unarchive" } else { "archive" };
    let view: SessionView = client.post(&format!("/sessions/{id}/{verb}"), None::<&()>).await?;
    if arguments.json {
        output.json(&view)?;
    } else if view.archived {
        output.line("Archived; `lamplight sessions --archived` lists it, and a prompt brings it back.")?;
    } else {
        output.line("It is in the list again.")?;
    }
    Ok(ExitCode::SUCCESS)
}
