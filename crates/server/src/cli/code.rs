//! `lamplight code`

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use crate::http::code::Code;
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
    let code: Code = client.post(&format!("/sessions/{id}/code"), None::<&()>).await?;
    match arguments.json {
        true => output.json(&code)?,
        false => output.line(&client.code(&id))?,
    }
    Ok(ExitCode::SUCCESS)
}
