//! `lamplight keys`: the keys of models, of a cloud for sandboxes, and what of a GitHub App is secret, kept by the server. None is ever
//! printed.

use super::client::Client;
use super::output::{Output, Style, clean, duration};
use super::secret_input;
use crate::clock;
use crate::http::keys::list::KeyList;
use crate::http::keys::set::KeyRequest;
use crate::http::keys::test::{KeyOutcome, KeyTest};
use crate::http::keys::{Key, KeySource};
use anyhow::bail;
use clap::{Args, Subcommand};
use lamplight_engine::{GitHubSecret, KeyName};
use serde_json::json;
use std::fmt;
use std::process::ExitCode;

/// Of the column of names, at least.
const NAME_WIDTH: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a key, which is read from standard input or asked for; a server that runs uses it at once, and what is of a GitHub App from its next start
    Set {
        #[arg(value_parser = stored)]
        name: Name,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Which keys there are, and where they come from
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Ask each upstream, or one, for its models, and the cloud for its sandboxes, which costs nothing
    Test {
        #[arg(value_parser = named)]
        name: Option<KeyName>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Forget a stored key
    Remove {
        #[arg(value_parser = stored)]
        name: Name,
    },
}

/// What can be stored.
#[derive(Debug, Clone)]
enum Name {
    Key(KeyName),
    GitHub(GitHubSecret),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => name.fmt(f),
            Self::GitHub(name) => name.fmt(f),
        }
    }
}

fn stored(text: &str) -> Result<Name, String> {
    if let Ok(name) = text.parse() {
        return Ok(Name::GitHub(name));
    }
    let others = GitHubSecret::ALL.map(GitHubSecret::as_str).join(", ");
    named(text).map(Name::Key).map_err(|why| format!("{why}, {others}"))
}

fn named(text: &str) -> Result<KeyName, String> {
    text.parse().map_err(|_| {
        "it is neither a name as [models.compatible.NAME] may have one nor any of openai, anthropic, gemini, e2b"
            .to_owned()
    })
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Set { name, json } => set(name, *json, client, output).await,
        Command::List { json } => list(*json, client, output).await,
        Command::Test { name, json } => test(name.as_ref(), *json, client, output).await,
        Command::Remove { name } => {
            client.delete(&format!("/keys/{name}")).await?;
            output.line(&format!("The key for {name} is forgotten."))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn set(name: &Name, json: bool, client: &Client, output: &mut Output) -> anyhow::Result<ExitCode> {
    // Before a person types it for nothing.
    let keys: KeyList = client.get("/keys").await?;
    if let Name::Key(KeyName::Models(upstream)) = name
        && !keys.items.iter().any(|key| key.name == upstream.as_str())
    {
        let others: Vec<_> = keys.items.iter().map(|key| key.name.as_str()).collect();
        bail!(
            "the server has no upstream {upstream}, only {}; another is one once [{}] is in its configuration",
            others.join(", "),
            upstream.section()
        );
    }
    let key = secret_input::read(&format!("Key for {name} (not shown): "))?;
    let key: Key = client.put(&format!("/keys/{name}"), &KeyRequest { key }).await?;
    if json {
        output.json(&key)?;
    } else {
        output.line(&match name {
            Name::Key(name) => format!("Stored. Try it: lamplight keys test {name}"),
            Name::GitHub(_) => {
                "Stored. It counts from the next start of the server; then `lamplight doctor` says how it stands."
                    .to_owned()
            }
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(json: bool, client: &Client, output: &mut Output) -> anyhow::Result<ExitCode> {
    let list: KeyList = client.get("/keys").await?;
    if json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let all = || list.items.iter().chain(&list.github);
    let width = all().map(|key| key.name.len()).fold(NAME_WIDTH, usize::max);
    for key in all() {
        output.line(&row(key, width, output))?;
        if let Some(problem) = &key.problem {
            output.line(&format!("{:width$}  {}", "", output.paint(Style::Bad, &clean(problem))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(key: &Key, width: usize, output: &Output) -> String {
    let variable = key.variable.as_deref().map(clean);
    let (style, source) = match key.source {
        KeySource::Stored => {
            let age = key.set_at.map(|at| duration(clock::now().since_ms(at.0))).unwrap_or_default();
            let unused = variable.map(|variable| format!("; {variable} is not used")).unwrap_or_default();
            (Style::Good, format!("stored {age} ago{unused}"))
        }
        KeySource::Environment => (Style::Good, format!("from {}", variable.unwrap_or_default())),
        KeySource::NotNeeded => {
            let unused = variable.map(|variable| {
                let name = &key.name;
                format!(
                    "; {variable} is not sent there, unless key_env = {variable:?} in [models.{name}] says so"
                )
            });
            (Style::Good, format!("asked without a key{}", unused.unwrap_or_default()))
        }
        KeySource::Configured => (Style::Good, "as the configuration says".to_owned()),
        KeySource::Missing => (Style::Dim, format!("none; lamplight keys set {}", key.name)),
    };
    let style = if key.problem.is_some() { Style::Bad } else { style };
    format!(
        "{:width$}  {}  {}",
        key.name,
        output.paint(style, &source),
        output.paint(Style::Dim, &clean(&key.base))
    )
}

async fn test(
    name: Option<&KeyName>,
    json: bool,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let names = match name {
        Some(name) => vec![name.to_string()],
        None => {
            let keys: KeyList = client.get("/keys").await?;
            let there = keys.items.into_iter().filter(|key| key.source != KeySource::Missing);
            there.map(|key| key.name).collect()
        }
    };
    if names.is_empty() {
        bail!("there is no key and no address to try; `lamplight keys set openai` stores one");
    }
    let mut tests = Vec::new();
    for name in names {
        let test: KeyTest = client.post(&format!("/keys/{name}/test"), None::<&()>).await?;
        if !json {
            let style = if test.outcome == KeyOutcome::Ok { Style::Good } else { Style::Bad };
            let detail = output.paint(style, &clean(&test.detail));
            output.line(&format!("{:NAME_WIDTH$}  {detail}", test.name))?;
        }
        tests.push(test);
    }
    if json {
        output.json(&json!({ "items": tests }))?;
    }
    let all_ok = tests.iter().all(|test| test.outcome == KeyOutcome::Ok);
    Ok(if all_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
