//! `lamplight retry`

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
    let view: SessionView = client.post(&format!("/sessions/{id}/retry"), None::<&()>).await?;
    if arguments.json {
        output.json(&view)?;
    } else {
        output.line("It is tried again.")?;
    }
    Ok(ExitCode::SUCCESS)
}
