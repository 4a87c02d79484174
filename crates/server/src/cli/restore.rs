//! `lamplight restore`

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use crate::http::resources::SessionView;
use crate::http::sessions::restore::RestoreRequest;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Its number, as `lamplight show` has it
    checkpoint: u32,
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
    let request = RestoreRequest { checkpoint: arguments.checkpoint };
    let view: SessionView = client.post(&format!("/sessions/{id}/restore"), Some(&request)).await?;
    if arguments.json {
        output.json(&view)?;
    } else {
        let checkpoint = arguments.checkpoint;
        output
            .line(&format!("It goes back to checkpoint {checkpoint}; the next prompt goes on from there."))?;
    }
    Ok(ExitCode::SUCCESS)
}
