//! `lamplight pull-request`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, clean};
use super::render::short;
use crate::http::resources::PullRequest;
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
    let shown: PullRequest = client.post(&format!("/sessions/{id}/pull-request"), None::<&()>).await?;
    if arguments.json {
        output.json(&shown)?;
    } else {
        output.line(&in_words(&shown))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Such as `acme/api#7 (draft) shows 7fd1a60b0: https://github.com/acme/api/pull/7`.
pub(super) fn in_words(shown: &PullRequest) -> String {
    let draft = if shown.draft { " (draft)" } else { "" };
    let (repository, url) = (clean(&shown.repository), clean(&shown.url));
    format!("{repository}#{}{draft} shows {}: {url}", shown.number, short(&shown.head))
}
