//! Everything that a task needs, started for the demo and for the tests: Lamplight itself, a model, a repository.
//!
//! ```text
//! .lamplight/tools          agents, shared by all stages
//! .lamplight/…              one stage: data (log, sandboxes), samples (repositories), lamplight.toml, server.log
//! ```

mod agent;
mod model;
mod sample;
mod server;

pub(crate) use agent::Agent;
pub(crate) use model::Model;
pub(crate) use sample::{Sample, TESTS};
pub(crate) use server::Server;

use crate::command::{line, output_of};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A place for one server with its log.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub workspace: &'a Workspace,
    /// Cargo's, such as `quick`: which of the built programs are started.
    pub profile: &'static str,
    directory: PathBuf,
    /// Where node and npm are found.
    path: OsString,
    config: PathBuf,
    /// Held as long as this is used: two servers cannot share a log.
    _lock: File,
}

/// Of a session, as `lamplight show --json` prints it.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub id: String,
    pub phase: String,
    pub branch: String,
    pub repository: PathBuf,
    pub ended: bool,
}

impl<'a> Stage<'a> {
    /// Takes that directory for itself.
    pub(crate) fn open(
        workspace: &'a Workspace,
        profile: &'static str,
        directory: PathBuf,
        path: OsString,
    ) -> Result<Self> {
        std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        let lock = File::create(directory.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("{} is used by another of these; end it first", directory.display());
        }
        let config = directory.join("lamplight.toml");
        // A basic string of TOML is one of JSON.
        let tools = serde_json::to_string(&workspace.scratch().join("tools"))?;
        std::fs::write(
            &config,
            format!("[agent]\ntools_dir = {tools}\n[queue]\nsandboxes_per_person = 0\n"),
        )?;
        Ok(Self { workspace, profile, directory, path, config, _lock: lock })
    }

    /// Our program with a configuration of its own and nothing of the person's.
    pub(crate) fn lamplight(&self) -> Command {
        let mut command = Command::new(self.workspace.program(self.profile, "lamplight"));
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("LAMPLIGHT_")) {
            command.env_remove(name);
        }
        command.env("PATH", &self.path).arg("--config").arg(&self.config);
        command.arg("--data-dir").arg(self.directory.join("data"));
        command
    }

    /// The same, talking to that server.
    pub(crate) fn at(&self, server: &Server) -> Command {
        let mut command = self.lamplight();
        command.args(["--url", &server.url]);
        command
    }

    /// Sees that an agent is there, in the version that the catalogue names.
    pub(crate) fn install(&self, agent: Agent) -> Result<()> {
        let name = agent.name();
        if !self.workspace.scratch().join("tools").join(name).exists() {
            println!("{name} is not installed; it is the agent that does the task, and comes from npm");
        }
        self.install_by("agents", name)
    }

    /// Sees that code-server is there; returns the tools directory.
    pub(crate) fn install_code(&self) -> Result<PathBuf> {
        self.install_by("tools", "code-server")?;
        Ok(self.workspace.scratch().join("tools"))
    }

    fn install_by(&self, subcommand: &str, name: &str) -> Result<()> {
        let mut install = self.lamplight();
        install.args([subcommand, "install", name]).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = install.output().with_context(|| format!("start {}", line(&install)))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // What is there already is no news.
        for line in said.lines().filter(|line| !line.ends_with("is there already")) {
            println!("{line}");
        }
        if !output.status.success() {
            bail!("{name} could not be installed");
        }
        Ok(())
    }

    /// All sessions that have not been ended, the newest first.
    pub(crate) fn sessions(&self, server: &Server) -> Result<Vec<Session>> {
        #[derive(Deserialize)]
        struct List {
            items: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            id: String,
        }
        let list = output_of(self.at(server).args(["sessions", "--limit", "200", "--json"]))?;
        let list: List = serde_json::from_str(&list).context("read the list of sessions")?;
        let show = |item: Item| {
            let shown = output_of(self.at(server).args(["show", &item.id, "--json"]))?;
            serde_json::from_str(&shown).context("read a session")
        };
        let sessions: Result<Vec<Session>> = list.items.into_iter().map(show).collect();
        Ok(sessions?.into_iter().filter(|session| !session.ended).collect())
    }

    /// Ends a session, so that its sandbox is gone.
    pub(crate) fn end(&self, server: &Server, session: &Session) -> Result<()> {
        output_of(self.at(server).args(["end", &session.id])).map(drop)
    }
}
