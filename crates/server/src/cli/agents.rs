//! `lamplight agents`: list them, install one, put all into a template of a cloud. Works on this machine, with or without a server.

use super::output::{Output, Style, clean};
use super::{Common, block_on, secret_input};
use crate::http::agents::{Agent, AgentList};
use clap::{Args, Subcommand};
use lamplight_engine::{Config, Progress};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The agents that a task can be given to
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Install an agent, in the version that was seen to work
    Install {
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a template of the cloud of [e2b_provider], with all agents that are installed here in it
    Template {
        /// What it is called there
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?.engine();
    match &arguments.command {
        Command::List { json } => {
            let list = AgentList {
                items: lamplight_engine::list_agents(&config)?.into_iter().map(Agent::from).collect(),
            };
            if *json {
                output.json(&list)?;
                return Ok(ExitCode::SUCCESS);
            }
            for agent in &list.items {
                output.line(&row(agent, output))?;
            }
        }
        Command::Install { name, json } => {
            block_on(async {
                let install = lamplight_engine::install_agent(&config, name, |progress| tell(&progress));
                Ok(install.await?)
            })?;
            if *json {
                let agents = lamplight_engine::list_agents(&config)?.into_iter().map(Agent::from);
                output.json(&agents.filter(|agent| agent.name == *name).collect::<Vec<_>>())?;
            }
        }
        Command::Template { name, json } => {
            let template = block_on(make_template(&config, name))?;
            if *json {
                output.json(&json!({ "template": template }))?;
            } else {
                output.line(&format!(
                    "Made. In the configuration:\n\n[e2b_provider]\ntemplate = {template:?}"
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A stored key is the server's alone to open, so it is asked for where the environment has none.
async fn make_template(config: &Config, name: &str) -> anyhow::Result<String> {
    let of_environment = config.sandbox.cloud.as_ref().and_then(|cloud| cloud.key.as_ref());
    let key = match of_environment {
        Some(key) => key.expose().to_owned(),
        None => secret_input::read("Key for e2b (not shown): ")?,
    };
    eprintln!("making a sandbox, and putting the agents into it");
    lamplight_engine::make_cloud_template(config, name, key.trim()).await
}

fn row(agent: &Agent, output: &Output) -> String {
    let state = match &agent.version {
        Some(version) => output.paint(Style::Good, &clean(version)),
        None => output.paint(Style::Dim, &format!("not installed: lamplight agents install {}", agent.name)),
    };
    let default = if agent.default { "  (default)" } else { "" };
    format!("{:10}  {:14}  {state}{default}", agent.name, clean(&agent.title))
}

/// On standard error, so that what is asked for stays alone on standard output.
pub(super) fn tell(progress: &Progress) {
    match progress {
        Progress::Fetching { packages } => eprintln!("fetching {}", packages.join(", ")),
        Progress::Installed { what, version } => eprintln!("installed {what} {version}"),
        Progress::AlreadyThere { what, version } => eprintln!("{what} {version} is there already"),
    }
}
