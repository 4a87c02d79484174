//! `lamplight sandboxes`

use super::client::Client;
use super::output::{Output, Style, clean, duration, first_line};
use super::queue::not_answering;
use super::templates;
use crate::http::resources::{SandboxState, SessionView};
use crate::http::sandboxes::{SandboxItem, SandboxList};
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Characters of a title that are shown.
const WIDTH: usize = 40;
/// The random end of a session's id, as in `lamplight sessions`.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stop the sandbox of a session between turns; its files are kept, and the next prompt starts one with them. One that is lent to a
    /// program is taken back, and nothing of it is left
    Stop {
        #[command(flatten)]
        session: super::SessionArgument,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// List the templates, snapshots and uploads of everybody that lent sandboxes begin with
    Templates {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Remove a template, or all that somebody has uploaded for templates; sandboxes that began with it keep their files
    Forget {
        /// As `lamplight sandboxes templates` shows it, or the end of it
        id: String,
    },
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Some(Command::Stop { session, json }) => stop(&session.session, *json, client, output).await?,
        Some(Command::Templates { json }) => templates::list(client, *json, output).await?,
        Some(Command::Forget { id }) => templates::forget(client, id, output).await?,
        None => list(client, arguments.json, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(session: &str, json: bool, client: &Client, output: &mut Output) -> anyhow::Result<()> {
    let wanted = session.to_ascii_uppercase();
    let list: SandboxList = client.get("/sandboxes").await?;
    let mut lent = list.items.iter().filter(|item| item.lent.is_some() && item.session.ends_with(&wanted));
    if let (Some(lent), None) = (lent.next(), lent.next()) {
        client.delete(&format!("/sandboxes/{}", lent.session)).await?;
        return Ok(output.line("The sandbox is taken back, and nothing of it is left.")?);
    }
    let id = client.resolve(session).await?;
    let view: SessionView = client.post(&format!("/sessions/{id}/release"), None::<&()>).await?;
    if json {
        return Ok(output.json(&view)?);
    }
    Ok(output
        .line("The sandbox is stopped, and its files are kept; the next prompt starts one with them.")?)
}

async fn list(client: &Client, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let list: SandboxList = client.get("/sandboxes").await?;
    if json {
        return Ok(output.json(&list)?);
    }
    if list.items.is_empty() && list.not_answering.is_empty() {
        output.line("No sandbox runs.")?;
    }
    for item in &list.items {
        output.line(&row(item, output))?;
    }
    not_answering(&list.not_answering, "its sandboxes are not in this list", output)
}

/// `QK3V9B2M  Mend the sum   running   4 min 2 s   312 MiB of 4096   7 processes   12 s of processors   40 MiB of files`
fn row(item: &SandboxItem, output: &Output) -> String {
    let id = &item.session[item.session.len().saturating_sub(SHORT_ID)..];
    let otherwise = match (&item.lent, &item.person) {
        (Some(_), Some(person)) => format!("lent to a program of {person}"),
        (Some(_), None) => "lent to a program".to_owned(),
        (None, _) => "setup of a repository".to_owned(),
    };
    let title = item.title.as_deref().unwrap_or(&otherwise);
    let (style, state) = match item.state {
        SandboxState::Paused => (Style::Dim, "paused"),
        SandboxState::None | SandboxState::Starting | SandboxState::Running | SandboxState::Stopped => {
            (Style::Good, "running")
        }
    };
    let age = item.age_ms.map(duration).unwrap_or_default();
    let mib = |bytes: u64| bytes >> 20;
    let memory = item.memory_bytes.map(|bytes| match item.memory_limit_bytes {
        Some(limit) => format!("{} of {} MiB", mib(bytes), mib(limit)),
        None => format!("{} MiB", mib(bytes)),
    });
    let processes = item.processes.map(|processes| match item.processes_limit {
        Some(limit) => format!("{processes} of {limit} processes"),
        None => format!("{processes} processes"),
    });
    let cpu = item.cpu_ms.map(|ms| format!("{} of processors", duration(ms)));
    let disk = item.disk_bytes.map(|bytes| format!("{} MiB of files", mib(bytes)));
    let place = item.server.as_ref().map(|server| format!("at {}", clean(server)));
    let used: Vec<String> = [memory, processes, cpu, disk, place].into_iter().flatten().collect();
    let title = first_line(&clean(title), WIDTH);
    let state = output.paint(style, &format!("{state:8}"));
    format!("{id}  {title:WIDTH$}  {state} {age:>12}  {}", used.join("  "))
}
