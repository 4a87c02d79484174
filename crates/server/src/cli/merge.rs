//! `lamplight merge`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, clean};
use super::render::short;
use crate::http::resources::Merged;
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
    let merged: Merged = client.post(&format!("/sessions/{id}/merge"), None::<&()>).await?;
    if arguments.json {
        output.json(&merged)?;
    } else {
        output.line(&format!("Merged into {} as {}.", clean(&merged.into), short(&merged.commit)))?;
    }
    Ok(ExitCode::SUCCESS)
}
