//! `lamplight take`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, plural};
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
    let view: SessionView = client.post(&format!("/sessions/{id}/take"), None::<&()>).await?;
    if arguments.json {
        output.json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    let others = view.attempts.as_ref().map_or(0, |attempts| attempts.sessions.len().saturating_sub(1));
    output.line(&format!(
        "It is taken; {} ended, and their branches stay.",
        match others {
            1 => "the other attempt is".to_owned(),
            others => format!("the other {} are", plural(others as u64, "attempt")),
        }
    ))?;
    output.line(&format!("review  lamplight diff {id}   then   lamplight merge {id}"))?;
    Ok(ExitCode::SUCCESS)
}
