//! `lamplight diff`

use super::SessionArgument;
use super::client::Client;
use super::output::{Output, Style, clean, plural};
use crate::http::sessions::diff::{Diff, FileStatus};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// One turn's work instead of the whole branch
    #[arg(long)]
    turn: Option<u32>,
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
    let query: Vec<_> = arguments.turn.map(|turn| ("turn", turn.to_string())).into_iter().collect();
    let diff: Diff = client.list(&format!("/sessions/{id}/diff"), &query).await?;
    if arguments.json {
        output.json(&diff)?;
        return Ok(ExitCode::SUCCESS);
    }
    for file in &diff.files {
        let from = file.old_path.as_ref().map(|old| format!("{} → ", clean(old))).unwrap_or_default();
        let what = match file.status {
            FileStatus::Added => "added",
            FileStatus::Modified => "modified",
            FileStatus::Deleted => "deleted",
            FileStatus::Renamed => "renamed",
        };
        let heading = output.paint(Style::Bold, &format!("{from}{}", clean(&file.path)));
        output.line(&format!("{heading} · {what} +{} −{}", file.insertions, file.deletions))?;
        if file.binary {
            output.line("binary")?;
        }
        for line in file.patch.lines() {
            output.line(&painted(line, output))?;
        }
    }
    let changed = plural(u64::try_from(diff.files.len()).unwrap_or(u64::MAX), "file");
    let more = if diff.truncated { "; there is more than is shown, see the branch itself" } else { "" };
    output.line(&output.paint(Style::Dim, &format!("{changed} changed{more}")))?;
    Ok(ExitCode::SUCCESS)
}

/// As `git diff` colours it.
fn painted(line: &str, output: &Output) -> String {
    let line = clean(line);
    match line.as_bytes().first() {
        Some(b'+') => output.paint(Style::Good, &line),
        Some(b'-') => output.paint(Style::Bad, &line),
        Some(b'@') => output.paint(Style::Warm, &line),
        Some(_) | None => line,
    }
}
