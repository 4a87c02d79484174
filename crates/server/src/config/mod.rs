//! Configuration: flags over environment over one TOML file over defaults.
//!
//! Everything that the rest of the program learns from files, variables and flags it learns here, once, at start. A
//! key or variable that nobody reads is an error that names it: a setting with a typing mistake never silently counts
//! for nothing.

mod archive;
mod attempts;
mod auth;
mod blobs;
mod checks;
mod children;
mod database;
mod e2b;
mod e2b_provider;
mod error;
mod for_engine;
mod gateway;
mod git;
mod github;
mod guards;
mod hooks;
mod layers;
mod models;
mod queue;
mod secret;
mod secrets;
mod sections;
mod traces;

pub use archive::Archive;
pub use attempts::Attempts;
pub use auth::{Allow, Auth, GitHubWay, OidcWay};
pub use blobs::Blobs;
pub use checks::Checks;
pub use children::Children;
pub use database::Database;
pub use e2b::E2b;
pub use e2b_provider::E2bProvider;
pub use error::ConfigError;
pub use gateway::Gateway;
pub use git::Git;
pub use github::{Addresses, GitHub};
pub use guards::{GuardRule, Guards, SessionGuards, TurnGuards};
pub use hooks::Hooks;
pub use layers::{Environment, TOKEN_VARIABLE, VARIABLES, Variable};
pub use models::{ModelEndpoint, Models};
pub use queue::Queue;
pub use secret::Secret;
pub use secrets::Secrets;
pub use sections::{
    Agent, Budgets, CustomAgent, Launcher, Log, LogFormat, NetworkPolicy, PersonBudget, Provider, Repository,
    Sandbox, Server, Tls,
};
pub use traces::Traces;

use lamplight_domain::{Limits, Person};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Everything that can be configured, one struct a concern. The TOML file has the same shape.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub blobs: Blobs,
    pub auth: Auth,
    pub log: Log,
    pub traces: Traces,
    /// Who the commits and commands are attributed to; `None` is who git says this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    pub agent: Agent,
    pub limits: Limits,
    pub guards: Guards,
    pub budgets: Budgets,
    pub queue: Queue,
    pub attempts: Attempts,
    pub children: Children,
    pub archive: Archive,
    pub hooks: Hooks,
    pub checks: Checks,
    pub models: Models,
    pub secrets: Secrets,
    pub github: GitHub,
    pub git: Git,
    pub gateway: Gateway,
    pub e2b: E2b,
    pub e2b_provider: E2bProvider,
    pub sandbox: Sandbox,
    /// Agents beyond the catalogue.
    pub agents: Vec<CustomAgent>,
    pub repositories: Vec<Repository>,
}

/// What the command line said about configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<PathBuf>,
    /// `--e2b`
    pub e2b: bool,
    /// `--unsafe`
    pub is_unsafe: bool,
}

impl Config {
    /// Reads the file that the flags or the environment name (the default one may be missing, a named one may not) and
    /// lays the environment and the flags over it.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let file = match named_file(flags, environment) {
            Some(path) => Some(read_file(&path)?),
            None => match default_file(environment) {
                Some(path) if path.exists() => Some(read_file(&path)?),
                Some(_) | None => None,
            },
        };
        Self::from_layers(file.unwrap_or_default(), flags, environment)
    }

    fn from_layers(file: toml::Table, flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut table = file;
        layers::lay_environment(&mut table, environment)?;
        if let Some(listen) = &flags.listen {
            layers::set(&mut table, "server.listen", listen.clone().into());
        }
        if let Some(data_dir) = &flags.data_dir {
            layers::set(&mut table, "server.data_dir", data_dir.to_string_lossy().into_owned().into());
        }
        if flags.e2b {
            layers::set(&mut table, "e2b.enabled", true.into());
        }
        if flags.is_unsafe {
            layers::set(&mut table, "sandbox.unsafe", true.into());
        }
        let mut config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Invalid(error.message().to_owned()))?;
        config.complete(environment)?;
        Ok(config)
    }

    /// Fills in what depends on the environment: directories, and keys from the variables that hold them.
    fn complete(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        if self.server.data_dir.as_os_str().is_empty() {
            self.server.data_dir = default_data_dir(environment).ok_or(ConfigError::NoHome)?;
        }
        if self.sandbox.home.is_none() {
            self.sandbox.home = environment.get("HOME").map(PathBuf::from);
        }
        self.sandbox.home.take_if(|home| home.as_os_str().is_empty());
        for path in [&mut self.server.data_dir]
            .into_iter()
            .chain(&mut self.database.ca_file)
            .chain(&mut self.blobs.ca_file)
            .chain(&mut self.agent.tools_dir)
            .chain(&mut self.secrets.key_file)
            .chain(&mut self.github.private_key_file)
            .chain(&mut self.github.webhook_secret_file)
            .chain(&mut self.git.signing_key_file)
            .chain(&mut self.sandbox.tools)
            .chain(&mut self.sandbox.home)
            .chain(self.repositories.iter_mut().map(|repository| &mut repository.path))
        {
            *path = absolute(path, environment)?;
        }
        if let Launcher::Runtime(program) = &mut self.sandbox.launcher
            && program.contains('/')
        {
            *program = absolute(Path::new(program.as_str()), environment)?.to_string_lossy().into_owned();
        }
        self.guards.complete(environment)?;
        self.auth.take_secrets(environment);
        self.auth.check()?;
        self.server.check(&self.auth)?;
        self.database.check()?;
        self.blobs.complete(environment)?;
        self.traces.complete(environment)?;
        self.sandbox.check()?;
        self.models.check()?;
        self.budgets.check()?;
        self.attempts.check()?;
        self.github.check()?;
        self.gateway.check()?;
        self.e2b.check(&self.server)?;
        self.e2b_provider.check(&self.sandbox, &self.repositories)?;
        self.e2b_provider.take_secrets(environment);
        self.repositories.iter().try_for_each(Repository::check)?;
        self.sandbox.limits.check().map_err(|why| ConfigError::Invalid(format!("sandbox.limits: {why}")))?;
        self.models.take_keys(environment);
        self.github.take_secrets(environment);
        self.secrets.complete(environment)?;
        Ok(())
    }

    /// Where the file of this configuration is, or would be.
    pub fn directory(flags: &Flags, environment: &Environment) -> Option<PathBuf> {
        let file = named_file(flags, environment).or_else(|| default_file(environment))?;
        Some(absolute(&file, environment).ok()?.parent()?.to_owned())
    }

    /// Reads what the server needs and nobody else: the private key of a GitHub App.
    pub fn read_keys(&mut self) -> Result<(), ConfigError> {
        self.github.read_key()
    }

    /// What only the server needs for people to sign in.
    pub fn check_sign_in(&self) -> Result<(), ConfigError> {
        self.auth.check_secrets()
    }

    /// Under which people reach the page, without a slash at its end.
    pub fn address(&self, listen: SocketAddr) -> String {
        let public = self.server.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        public.unwrap_or_else(|| format!("http://{listen}"))
    }

    /// Where installed agents live; shared by all sessions and mounted read-only into sandboxes.
    pub fn tools_dir(&self) -> PathBuf {
        self.agent.tools_dir.clone().unwrap_or_else(|| self.server.data_dir.join("tools"))
    }

    /// The effective configuration as TOML, without secrets.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every field of Config is representable in TOML")
    }
}

fn named_file(flags: &Flags, environment: &Environment) -> Option<PathBuf> {
    flags.config.clone().or_else(|| environment.get("LAMPLIGHT_CONFIG").map(PathBuf::from))
}

fn default_file(environment: &Environment) -> Option<PathBuf> {
    let directory = environment
        .get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(environment.get("HOME")?).join(".config")))?;
    Some(directory.join("lamplight/lamplight.toml"))
}

fn default_data_dir(environment: &Environment) -> Option<PathBuf> {
    let directory = environment
        .get("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(environment.get("HOME")?).join(".local/share")))?;
    Some(directory.join("lamplight"))
}

/// Checks the whole file by itself first, so that a mistake in it is told with its line.
fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let checked = toml::from_str::<Config>(&text).and_then(|_| toml::from_str::<toml::Table>(&text));
    checked.map_err(|error| ConfigError::in_file(path, &text, &error))
}

/// `~/x` is in the home directory; anything else that is relative is relative to the working directory.
fn absolute(path: &Path, environment: &Environment) -> Result<PathBuf, ConfigError> {
    let expanded = match path.strip_prefix("~") {
        Ok(rest) => Path::new(environment.get("HOME").ok_or(ConfigError::NoHome)?).join(rest),
        Err(_) => path.to_owned(),
    };
    std::path::absolute(&expanded).map_err(|source| ConfigError::Unreadable { path: expanded, source })
}

#[cfg(test)]
mod tests;
