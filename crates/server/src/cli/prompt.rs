//! `lamplight prompt`

use super::SessionArgument;
use super::attach::AttachArguments;
use super::client::Client;
use super::output::Output;
use crate::http::sessions::prompt::{PromptAccepted, PromptRequest};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// What is to be done
    text: String,
    #[command(flatten)]
    files: AttachArguments,
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
    let attachments = arguments.files.upload(client).await?;
    let request = PromptRequest { text: arguments.text.clone(), attachments };
    let accepted: PromptAccepted = client.post_once(&format!("/sessions/{id}/prompts"), &request).await?;
    if arguments.json {
        output.json(&accepted)?;
    } else if accepted.position == 0 {
        output.line(&format!("Accepted; watch it with: lamplight logs -f {id}"))?;
    } else {
        output
            .line(&format!("Queued behind {}; watch it with: lamplight logs -f {id}", accepted.position))?;
    }
    Ok(ExitCode::SUCCESS)
}
