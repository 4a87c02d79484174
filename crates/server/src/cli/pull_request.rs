//! `lamplight pull-request`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, clean};
use super::render::short;
use crate::http::pull_request::{PullRequestStanding, Standing};
use crate::http::resources::PullRequest;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Change nothing; say how it stands on GitHub
    #[arg(long, conflicts_with_all = ["ready", "close", "update"])]
    status: bool,
    /// It is a draft no longer
    #[arg(long, conflicts_with_all = ["close", "update"])]
    ready: bool,
    /// Merge its base, and what people have pushed to it, into its branch
    #[arg(long, conflicts_with = "close")]
    update: bool,
    /// Close it without merging
    #[arg(long)]
    close: bool,
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
    let path = format!("/sessions/{id}/pull-request");
    let standing: Option<PullRequestStanding> = match arguments {
        Arguments { status: true, .. } => Some(client.get(&path).await?),
        Arguments { ready: true, .. } => Some(client.post(&format!("{path}/ready"), None::<&()>).await?),
        Arguments { update: true, .. } => Some(client.post(&format!("{path}/update"), None::<&()>).await?),
        Arguments { close: true, .. } => Some(client.post(&format!("{path}/close"), None::<&()>).await?),
        Arguments { .. } => None,
    };
    if let Some(standing) = standing {
        match arguments.json {
            true => output.json(&standing)?,
            false => output.line(&standing_in_words(&standing))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let shown: PullRequest = client.post(&path, None::<&()>).await?;
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

/// Such as `#7 draft; 3 checks passed, 1 running, failed: lint; approved by bob: https://github.com/acme/api/pull/7`.
fn standing_in_words(standing: &PullRequestStanding) -> String {
    let state = match standing.state {
        Standing::Draft => "draft",
        Standing::Open => "open",
        Standing::Closed => "closed",
        Standing::Merged => "merged",
    };
    let mut parts = vec![format!("#{} {state}", standing.number)];
    if !standing.is_current {
        parts.push("does not show the newest commit".to_owned());
    }
    if standing.mergeable == Some(false) {
        parts.push("conflicts with its base".to_owned());
    }
    if let Some(checks) = &standing.checks {
        let mut text = format!("{} checks passed", checks.passed);
        if checks.running > 0 {
            text += &format!(", {} running", checks.running);
        }
        if !checks.failed.is_empty() {
            text += &format!(", failed: {}", checks.failed.join(", "));
        }
        parts.push(text);
    }
    for (what, people) in
        [("approved by", &standing.approved_by), ("changes wanted by", &standing.changes_wanted_by)]
    {
        if !people.is_empty() {
            parts.push(format!("{what} {}", people.join(", ")));
        }
    }
    clean(&format!("{}: {}", parts.join("; "), standing.url))
}
