//! `lamplight keys`: the keys of models, and of a cloud for sandboxes, kept by the server. None is ever printed.

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
use lamplight_engine::KeyName;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a key, which is read from standard input or asked for; a server that runs uses it at once
    Set {
        #[arg(value_parser = named)]
        name: KeyName,
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
        #[arg(value_parser = named)]
        name: KeyName,
    },
}

fn named(text: &str) -> Result<KeyName, String> {
    text.parse().map_err(|_| format!("it is none of {}", KeyName::all_in_words()))
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Set { name, json } => set(*name, *json, client, output).await,
        Command::List { json } => list(*json, client, output).await,
        Command::Test { name, json } => test(*name, *json, client, output).await,
        Command::Remove { name } => {
            client.delete(&format!("/keys/{name}")).await?;
            output.line(&format!("The key for {name} is forgotten."))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn set(name: KeyName, json: bool, client: &Client, output: &mut Output) -> anyhow::Result<ExitCode> {
    // Before a person types it for nothing.
    client.get::<KeyList>("/keys").await?;
    let key = secret_input::read(&format!("Key for {name} (not shown): "))?;
    let key: Key = client.put(&format!("/keys/{name}"), &KeyRequest { key }).await?;
    if json {
        output.json(&key)?;
    } else {
        output.line(&format!("Stored. Try it: lamplight keys test {name}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(json: bool, client: &Client, output: &mut Output) -> anyhow::Result<ExitCode> {
    let list: KeyList = client.get("/keys").await?;
    if json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    for key in &list.items {
        output.line(&row(key, output))?;
        if let Some(problem) = &key.problem {
            output.line(&format!("{:10}  {}", "", output.paint(Style::Bad, &clean(problem))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(key: &Key, output: &Output) -> String {
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
        KeySource::Missing => (Style::Dim, format!("none; lamplight keys set {}", key.name)),
    };
    let style = if key.problem.is_some() { Style::Bad } else { style };
    format!(
        "{:10}  {}  {}",
        key.name,
        output.paint(style, &source),
        output.paint(Style::Dim, &clean(&key.base))
    )
}

async fn test(
    name: Option<KeyName>,
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
            output.line(&format!("{:10}  {}", test.name, output.paint(style, &clean(&test.detail))))?;
        }
        tests.push(test);
    }
    if json {
        output.json(&json!({ "items": tests }))?;
    }
    let all_ok = tests.iter().all(|test| test.outcome == KeyOutcome::Ok);
    Ok(if all_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
