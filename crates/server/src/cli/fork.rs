//! `lamplight fork`

use super::SessionArgument;
use super::attach::AttachArguments;
use super::client::Client;
use super::output::Output;
use super::run::hand_over;
use crate::http::sessions::create::{ForkRequest, NewSessionRequest};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// What is to be done from there
    text: String,
    #[command(flatten)]
    files: AttachArguments,
    /// The checkpoint to start from, as `lamplight show` has it [default: the newest]
    #[arg(long, value_name = "NUMBER")]
    checkpoint: Option<u32>,
    /// The agent to give it to [default: the same, which remembers the conversation]
    #[arg(long)]
    agent: Option<String>,
    /// The agent's own name of a model [default: the same]
    #[arg(long)]
    model: Option<String>,
    /// One line for lists [default: the start of the text]
    #[arg(long)]
    title: Option<String>,
    /// Hand it over and return
    #[arg(long)]
    detach: bool,
    /// One JSON document a line: the session, its log, and the session again
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let session = client.resolve(&arguments.session.session).await?;
    let request = NewSessionRequest {
        prompt: arguments.text.clone(),
        attachments: arguments.files.upload(client).await?,
        agent: arguments.agent.clone(),
        model: arguments.model.clone(),
        title: arguments.title.clone(),
        fork: Some(ForkRequest { session, checkpoint: arguments.checkpoint }),
        ..NewSessionRequest::default()
    };
    hand_over(client, &request, arguments.detach, arguments.json, output).await
}
