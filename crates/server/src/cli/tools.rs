//! `lamplight tools`: what sandboxes have for people, beside the agents. Works on this machine, with or without a server.

use super::agents::tell;
use super::output::{Output, Style, clean};
use super::{Common, block_on};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The tools that sessions can have
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Install a tool, in the version that was seen to work
    Install { name: Name },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// VS Code for a browser
    CodeServer,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    title: &'static str,
    version: Option<String>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &mut Output) -> anyhow::Result<ExitCode> {
    let config = common.configuration(None)?.engine();
    match &arguments.command {
        Command::List { json } => {
            let version = lamplight_engine::installed_code(&config);
            let tools = [Tool { name: "code-server", title: "VS Code", version }];
            if *json {
                output.json(&tools)?;
                return Ok(ExitCode::SUCCESS);
            }
            for tool in &tools {
                output.line(&row(tool, output))?;
            }
        }
        Command::Install { name: Name::CodeServer } => {
            block_on(async {
                let install = lamplight_engine::install_code(&config, |progress| tell(&progress));
                Ok(install.await?)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(tool: &Tool, output: &Output) -> String {
    let state = match &tool.version {
        Some(version) => output.paint(Style::Good, &clean(version)),
        None => output.paint(Style::Dim, &format!("not installed: lamplight tools install {}", tool.name)),
    };
    format!("{:12}  {:8}  {state}", tool.name, tool.title)
}
