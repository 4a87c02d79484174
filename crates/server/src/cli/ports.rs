//! `lamplight ports`

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use crate::http::ports::list::PortList;
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
    let ports: PortList = client.get(&format!("/sessions/{id}/ports")).await?;
    if arguments.json {
        output.json(&ports)?;
        return Ok(ExitCode::SUCCESS);
    }
    for port in &ports.items {
        output.line(&format!("{}  {}", port.port, client.preview(&id, port.port)))?;
    }
    if ports.items.is_empty() {
        output.line("Nothing listens in the sandbox.")?;
    }
    Ok(ExitCode::SUCCESS)
}
