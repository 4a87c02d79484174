//! The command line: one subcommand, one file; those that are one word to a session are in `verb.rs`.

mod agents;
mod answer;
mod archive;
mod artifacts;
mod asking;
mod attach;
mod audit;
mod automations;
mod backup;
mod budget;
mod checks;
mod client;
mod code;
mod compare;
mod config;
mod continue_once;
mod dead;
mod diff;
mod doctor;
mod fork;
mod gateway;
mod github;
mod guards;
mod hooks;
mod image;
mod keys;
mod login;
mod logs;
mod merge;
mod migrate;
mod model;
mod offers;
mod output;
mod people;
mod ports;
mod progress;
mod prompt;
mod pull_request;
mod queue;
mod ready;
mod redacting;
mod render;
mod restore;
mod run;
mod sandbox;
mod sandboxes;
mod secret_input;
mod serve;
mod server_process;
mod sessions;
mod show;
mod templates;
mod terminal;
mod tokens;
mod tokens_file;
mod tools;
mod usage;
mod verb;
mod watch;

use crate::config::{Config, Environment, Flags, TOKEN_VARIABLE};
use crate::http;
use clap::{Args, Parser, Subcommand};
use client::Client;
use output::Output;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use verb::Verb;

/// Background coding agents on machines you own.
#[derive(Debug, Parser)]
#[command(name = "lamplight", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand takes.
#[derive(Debug, Clone, Args)]
struct Common {
    /// The configuration file [default: ~/.config/lamplight/lamplight.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the log, the sandboxes and the agents are [default: ~/.local/share/lamplight]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// The server to talk to [default: where the configuration says that it listens]
    #[arg(long, global = true, value_name = "URL", env = "LAMPLIGHT_URL")]
    url: Option<String>,
    /// Run sandboxes even where this machine cannot put up a wall that nothing should run without; counts for a server
    /// that this starts
    #[arg(long = "unsafe", global = true)]
    is_unsafe: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: sessions, the API and the page
    Serve(serve::Arguments),
    /// Hand over a task and watch it; Ctrl-C stops the turn, twice leaves it running
    Run(Box<run::Arguments>),
    /// Show the attempts at one task side by side
    Compare(compare::Arguments),
    /// Take one of several attempts; the others stop and end
    Take(verb::Arguments),
    /// List sessions that wait for a sandbox, of several servers at each, or put one before others
    Queue(queue::Arguments),
    /// List sessions, the newest first
    Sessions(sessions::Arguments),
    /// Show one session
    Show(show::Arguments),
    /// Print a session's log
    Logs(logs::Arguments),
    /// Say something more to the agent
    Prompt(prompt::Arguments),
    /// Answer what a session's agent asks, or show it
    Answer(answer::Arguments),
    /// Let a session go on once past the guard that stopped it
    Continue(continue_once::Arguments),
    /// Print which guards would hold of a new session, and the rules of the policy
    Guards(guards::Arguments),
    /// Stop the running turn
    Stop(verb::Arguments),
    /// List sessions that came to nothing for want of a sandbox or the like
    Dead(dead::Arguments),
    /// Ask once more what a session was asked that came to nothing so
    Retry(verb::Arguments),
    /// Let everything in a session's sandbox stand still, in the middle of a turn too
    Pause(verb::Arguments),
    /// Let what was paused go on
    Resume(verb::Arguments),
    /// List the sandboxes that there are now, of several servers at each, with what they use, or stop one
    Sandboxes(sandboxes::Arguments),
    /// Open a shell in a session's sandbox; Ctrl-] leaves, and the shell goes on
    Terminal(terminal::Arguments),
    /// List what programs in a session's sandbox serve, with addresses for a browser
    Ports(ports::Arguments),
    /// Open VS Code in a session's sandbox, and print its address for a browser
    Code(code::Arguments),
    /// List the files that a session offers as results, or save them
    Artifacts(artifacts::Arguments),
    /// Set what a session may cost
    Budget(budget::Arguments),
    /// Sum up what models were asked for, and what it cost
    Usage(usage::Arguments),
    /// List who asked for what to be changed, and what came of it
    Audit(audit::Arguments),
    /// Let sessions begin by the clock, or by what happens on GitHub: add, list, pause, resume, run, remove
    Automations(automations::Arguments),
    /// Choose the model for a session's next turns, or list those that can be had
    Model(model::Arguments),
    /// Go back to a checkpoint: files, conversation and commits are what they were then
    Restore(restore::Arguments),
    /// Start a session from another one's files and conversation, and watch it
    Fork(fork::Arguments),
    /// Show what a session changed
    Diff(diff::Arguments),
    /// Merge a session's branch into its base
    Merge(merge::Arguments),
    /// Open a draft pull request for a session's branch on GitHub, or bring it up to date
    #[command(visible_alias = "pr")]
    PullRequest(pull_request::Arguments),
    /// Print what a program outside of a sandbox needs to use models, git and the web as a session may
    Gateway(gateway::Arguments),
    /// End a session and remove its sandbox; log and branch stay
    End(verb::Arguments),
    /// Put a session aside: lists leave it out until it is put back, or prompted
    Archive(archive::Arguments),
    /// List or install agents
    Agents(agents::Arguments),
    /// List or install what sandboxes have for people, such as VS Code
    Tools(tools::Arguments),
    /// Make, list or remove images that sandboxes can begin with instead of this machine
    Image(image::Arguments),
    /// Store, list, test or remove the keys of models
    Keys(keys::Arguments),
    /// Keep a token for a server, so that commands for it are signed in; takes the link of an invitation, too
    Login(login::Arguments),
    /// Forget the token for a server, and revoke it
    Logout(login::LogoutArguments),
    /// Make, list or revoke tokens of your own
    Tokens(tokens::Arguments),
    /// Have addresses told what happens to sessions, by signed webhooks
    Hooks(hooks::Arguments),
    /// Who may use the server: list, invite, change roles, remove
    People(people::Arguments),
    /// Make a GitHub App for this server
    Github(github::Arguments),
    /// Ask the server whether it takes work; for what waits for that, such as the health check of a container
    Ready,
    /// Say what is missing on this machine and how to get it
    Doctor(doctor::Arguments),
    /// Copy what cannot be made again, while the server runs, or bring it back
    Backup(backup::Arguments),
    /// Move an installation from SQLite to PostgreSQL
    Migrate(migrate::Arguments),
    /// Print the effective configuration, without secrets
    Config(config::Arguments),
    /// Print the OpenAPI document
    #[command(hide = true)]
    Openapi,
}

/// A session, as people name it.
#[derive(Debug, Args)]
struct SessionArgument {
    /// Its id, or a beginning or end of it that no other session has
    session: String,
}

/// The whole program.
pub fn main() -> ExitCode {
    // Not one of the subcommands: a sandbox's launcher has to be a small process that has read nothing else.
    if std::env::args_os().nth(1).is_some_and(|word| word == lamplight_engine::LAUNCH) {
        return lamplight_engine::launcher_main();
    }
    let cli = Cli::parse();
    let mut output = Output::new();
    let result = cli.run(&mut output);
    result.unwrap_or_else(|error| output.failure(&error))
}

impl Cli {
    fn run(self, output: &mut Output) -> anyhow::Result<ExitCode> {
        let common = self.common;
        match self.command {
            Command::Serve(arguments) => serve::run(&arguments, &common, output),
            Command::Agents(arguments) => agents::run(&arguments, &common, output),
            Command::Tools(arguments) => tools::run(&arguments, &common, output),
            Command::Image(arguments) => image::run(&arguments, &common, output),
            Command::Doctor(arguments) => doctor::run(&arguments, &common, output),
            Command::Github(arguments) => block_on(github::run(&arguments, &common, output)),
            Command::Migrate(arguments) => migrate::run(&arguments, &common, output),
            Command::Backup(arguments) => backup::run(&arguments, &common, output),
            Command::Config(arguments) => config::run(&arguments, &common, output),
            Command::Openapi => {
                output.text(&http::openapi::document())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Run(arguments) => block_on(run::run(&arguments, &common, output)),
            Command::Queue(arguments) => block_on(queue::run(&arguments, &common.client()?, output)),
            Command::Sessions(arguments) => block_on(sessions::run(&arguments, &common.client()?, output)),
            Command::Show(arguments) => block_on(show::run(&arguments, &common.client()?, output)),
            Command::Logs(arguments) => block_on(logs::run(&arguments, &common.client()?, output)),
            Command::Prompt(arguments) => block_on(prompt::run(&arguments, &common.client()?, output)),
            Command::Answer(arguments) => block_on(answer::run(&arguments, &common.client()?, output)),
            Command::Continue(arguments) => {
                block_on(continue_once::run(&arguments, &common.client()?, output))
            }
            Command::Guards(arguments) => block_on(guards::run(&arguments, &common.client()?, output)),
            Command::Stop(arguments) => {
                block_on(verb::run(Verb::Stop, &arguments, &common.client()?, output))
            }
            Command::Pause(arguments) => {
                block_on(verb::run(Verb::Pause, &arguments, &common.client()?, output))
            }
            Command::Dead(arguments) => block_on(dead::run(&arguments, &common.client()?, output)),
            Command::Retry(arguments) => {
                block_on(verb::run(Verb::Retry, &arguments, &common.client()?, output))
            }
            Command::Resume(arguments) => {
                block_on(verb::run(Verb::Resume, &arguments, &common.client()?, output))
            }
            Command::Sandboxes(arguments) => block_on(sandboxes::run(&arguments, &common.client()?, output)),
            Command::Terminal(arguments) => block_on(terminal::run(&arguments, &common.client()?, output)),
            Command::Ports(arguments) => block_on(ports::run(&arguments, &common.client()?, output)),
            Command::Code(arguments) => block_on(code::run(&arguments, &common.client()?, output)),
            Command::Artifacts(arguments) => block_on(artifacts::run(&arguments, &common.client()?, output)),
            Command::Budget(arguments) => block_on(budget::run(&arguments, &common.client()?, output)),
            Command::Usage(arguments) => block_on(usage::run(&arguments, &common.client()?, output)),
            Command::Audit(arguments) => block_on(audit::run(&arguments, &common.client()?, output)),
            Command::Automations(arguments) => {
                block_on(automations::run(&arguments, &common.client()?, output))
            }
            Command::Model(arguments) => block_on(model::run(&arguments, &common.client()?, output)),
            Command::Restore(arguments) => block_on(restore::run(&arguments, &common.client()?, output)),
            Command::Fork(arguments) => block_on(fork::run(&arguments, &common.client()?, output)),
            Command::Diff(arguments) => block_on(diff::run(&arguments, &common.client()?, output)),
            Command::Merge(arguments) => block_on(merge::run(&arguments, &common.client()?, output)),
            Command::PullRequest(arguments) => {
                block_on(pull_request::run(&arguments, &common.client()?, output))
            }
            Command::Login(arguments) => block_on(login::run(&arguments, output)),
            Command::Logout(arguments) => block_on(login::logout(&arguments, &common, output)),
            Command::Tokens(arguments) => block_on(tokens::run(&arguments, &common.client()?, output)),
            Command::Hooks(arguments) => block_on(hooks::run(&arguments, &common.client()?, output)),
            Command::People(arguments) => block_on(people::run(&arguments, &common.client()?, output)),
            Command::Gateway(arguments) => block_on(gateway::run(&arguments, &common.client()?, output)),
            Command::Ready => block_on(ready::run(&common.client()?, output)),
            Command::Keys(arguments) => block_on(keys::run(&arguments, &common.client()?, output)),
            Command::Compare(arguments) => block_on(compare::run(&arguments, &common.client()?, output)),
            Command::Take(arguments) => {
                block_on(verb::run(Verb::Take, &arguments, &common.client()?, output))
            }
            Command::Archive(arguments) => block_on(archive::run(&arguments, &common.client()?, output)),
            Command::End(arguments) => block_on(verb::run(Verb::End, &arguments, &common.client()?, output)),
        }
    }
}

/// A client command has one thing to do at a time.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

impl Common {
    fn configuration(&self, listen: Option<&String>) -> anyhow::Result<Config> {
        let flags = Flags { listen: listen.cloned(), ..self.flags() };
        Ok(Config::load(&flags, &environment())?)
    }

    fn configuration_to_serve(&self, listen: Option<&String>, e2b: bool) -> anyhow::Result<Config> {
        let flags = Flags { listen: listen.cloned(), e2b, ..self.flags() };
        Ok(Config::load(&flags, &environment())?)
    }

    /// Where the configuration's file is, or would be.
    fn configuration_directory(&self) -> Option<PathBuf> {
        Config::directory(&self.flags(), &environment())
    }

    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: None,
            e2b: false,
            is_unsafe: self.is_unsafe,
        }
    }

    /// The server that is named, or else the one that this configuration runs.
    fn client(&self) -> anyhow::Result<Client> {
        let base = self.base()?;
        let token = match std::env::var(TOKEN_VARIABLE) {
            Ok(token) if !token.is_empty() => Some(token),
            Ok(_) | Err(_) => tokens_file::find(&base)?,
        };
        Client::new(&base, token.as_deref())
    }

    fn base(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        let mut listen = self.configuration(None)?.server.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Ok(format!("http://{listen}"))
    }
}

fn environment() -> Environment {
    let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(texts).collect()
}
