//! The concerns of the configuration, one struct each.

use super::{ConfigError, Environment, Secret};
use lamplight_domain::permission::Policy;
use lamplight_domain::{HostPattern, ImageChoice, Network, SandboxLimits, SomeLimits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The log, sandboxes and installed agents. Default: `$XDG_DATA_HOME/lamplight`.
    pub data_dir: PathBuf,
    /// Host names, beyond loopback and the listen address, under which the page may be reached.
    pub hosts: Vec<String>,
    /// Threads that serve requests.
    pub threads: usize,
}

/// More threads than this serve nobody on one machine.
const MAX_THREADS: usize = 256;

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7410)),
            data_dir: PathBuf::new(),
            hosts: Vec::new(),
            threads: 2,
        }
    }
}

impl Server {
    /// There is no sign-in yet, so nothing but loopback may be listened on.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() {
            return Err(ConfigError::Invalid(format!(
                "server.listen is {}, but there is no sign-in yet, so only a loopback address such as 127.0.0.1:7410 is safe",
                self.listen
            )));
        }
        if self.threads == 0 || self.threads > MAX_THREADS {
            return Err(ConfigError::Invalid(format!("server.threads must be between 1 and {MAX_THREADS}")));
        }
        Ok(())
    }
}

/// `[log]`: what the server writes to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level such as `info`, or directives such as `info,lamplight_engine=debug`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// `[budgets]`: what sessions together may cost in a calendar month (UTC), in millionths of a dollar; 0 is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// All of them.
    pub month_micros: u64,
    /// `[[budgets.people]]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonBudget>,
}

/// All sessions that are for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonBudget {
    /// As `[person]` or git says it.
    pub name: String,
    pub month_micros: u64,
}

impl Budgets {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        match self.people.iter().find(|person| !names.insert(&person.name)) {
            Some(person) => {
                Err(ConfigError::Invalid(format!("budgets.people: {:?} is there twice", person.name)))
            }
            None => Ok(()),
        }
    }
}

/// `[agent]`: what a session gets when it asks for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    pub default: String,
    /// The model of sessions with the default agent that name none, in that agent's own words; else the agent chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub permissions: Policy,
    /// Where agents are installed; default is `tools` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools_dir: Option<PathBuf>,
}

impl Default for Agent {
    fn default() -> Self {
        Self { default: "opencode".to_owned(), model: None, permissions: Policy::Allow, tools_dir: None }
    }
}

/// `[models]`: where models are, seen from the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    pub openai: ModelEndpoint,
    pub anthropic: ModelEndpoint,
    pub gemini: ModelEndpoint,
    /// The model behind these addresses follows a script; people are told so.
    pub scripted: bool,
    /// `[[models.prices]]`: what models cost here, before what the public price lists say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
}

/// What one model costs, in dollars for a million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// As its answers name it.
    pub model: String,
    pub input: f64,
    /// Of input that is read from the model's cache; as any other where it is not said, and so for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_written: Option<f64>,
    pub output: f64,
}

/// The variables that people have a key for Gemini in; the first that is set counts.
const GEMINI_KEYS: [&str; 2] = ["GEMINI_API_KEY", "GOOGLE_API_KEY"];

impl Models {
    pub(super) fn take_keys(&mut self, environment: &Environment) {
        if self.gemini.key_env.as_deref() == Some(GEMINI_KEYS[0]) {
            let is_set = |name: &&str| environment.get(*name).is_some_and(|value| !value.trim().is_empty());
            let name = GEMINI_KEYS.into_iter().find(is_set).unwrap_or(GEMINI_KEYS[0]);
            self.gemini.key_env = Some(name.to_owned());
        }
        for endpoint in [&mut self.openai, &mut self.anthropic, &mut self.gemini] {
            endpoint.take_key(environment);
        }
    }

    /// Those that have a key in the environment, or an address.
    pub fn configured(&self) -> Vec<&'static str> {
        let all = [("openai", &self.openai), ("anthropic", &self.anthropic), ("gemini", &self.gemini)];
        all.into_iter().filter(|(_, endpoint)| endpoint.is_configured()).map(|(name, _)| name).collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for price in &self.prices {
            let all = [Some(price.input), price.cached, price.cache_written, Some(price.output)];
            if all.into_iter().flatten().any(|dollars| !dollars.is_finite() || dollars < 0.0) {
                return Err(ConfigError::Invalid(format!(
                    "models.prices: a price of {:?} is no amount of dollars",
                    price.model
                )));
            }
        }
        Ok(())
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            openai: ModelEndpoint { key_env: Some("OPENAI_API_KEY".to_owned()), ..ModelEndpoint::default() },
            anthropic: ModelEndpoint {
                key_env: Some("ANTHROPIC_API_KEY".to_owned()),
                ..ModelEndpoint::default()
            },
            gemini: ModelEndpoint { key_env: Some(GEMINI_KEYS[0].to_owned()), ..ModelEndpoint::default() },
            scripted: false,
            prices: Vec::new(),
        }
    }
}

/// `[models.openai]`, `[models.anthropic]`, `[models.gemini]`: one model protocol's upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelEndpoint {
    /// The address, the vendor's own when there is only a key; an address without a key is used without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Name of the variable that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// Its value, if it is set and not empty.
    #[serde(skip)]
    pub key: Option<Secret>,
}

impl ModelEndpoint {
    fn take_key(&mut self, environment: &Environment) {
        let value = self.key_env.as_ref().and_then(|name| environment.get(name));
        self.key = value.map(|value| value.trim()).filter(|value| !value.is_empty()).map(Secret::new);
    }

    pub fn is_configured(&self) -> bool {
        self.key.is_some() || self.base.is_some()
    }
}

/// `[sandbox]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    pub provider: Provider,
    /// The home directory whose well-known toolchains (rustup, nvm, pyenv and the like) sandboxes see read-only; nothing
    /// else of it is seen. Default: `$HOME`; `""` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
    /// Directories of toolchains that sandboxes see read-only at the same path, such as `~/.cargo/bin`.
    pub tools: Vec<PathBuf>,
    /// What the files of sandboxes begin with, where a session does not say otherwise: `host` for this machine's own, or the
    /// name of an image that `lamplight image add` has made.
    pub image: ImageChoice,
    /// What programs inside may connect to beside models and git, where a session does not say otherwise.
    pub network: NetworkPolicy,
    /// With `network = "allowlist"`: names such as `example.org`, `*.example.org` for all below one, addresses.
    pub allow: Vec<HostPattern>,
    /// Hosts that may be reached although their addresses are private, this machine's own or otherwise not public.
    pub allow_private: Vec<HostPattern>,
    /// Run sandboxes even where this machine cannot put up a wall that nothing should run without; every view of such a
    /// session says so.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
    /// `[sandbox.limits]`: what each sandbox may use, where a session asks for nothing else.
    pub limits: SandboxLimits,
}

/// What programs inside sandboxes may connect to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkPolicy {
    /// Every public host.
    #[default]
    Open,
    /// The hosts in `allow`.
    Allowlist,
    None,
}

impl Sandbox {
    /// A list that would count for nothing is a mistake.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match (self.network, self.allow.is_empty()) {
            (NetworkPolicy::Open | NetworkPolicy::None, false) => Err(ConfigError::Invalid(
                "sandbox.allow is only used with sandbox.network = \"allowlist\"".to_owned(),
            )),
            (NetworkPolicy::Allowlist, _) | (NetworkPolicy::Open | NetworkPolicy::None, true) => Ok(()),
        }
    }

    pub(super) fn network(&self) -> Network {
        self.network.with(&self.allow)
    }
}

impl NetworkPolicy {
    fn with(self, allow: &[HostPattern]) -> Network {
        match self {
            Self::Open => Network::Open,
            Self::Allowlist => Network::Allowlist { hosts: allow.to_vec() },
            Self::None => Network::None,
        }
    }
}

/// What makes sandboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// This machine itself.
    #[default]
    Local,
}

/// `[[repositories]]`: what sessions of one repository get where they do not say otherwise; what is left out is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its top directory.
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Policy>,
    /// What all sessions on it may cost in a calendar month (UTC), in millionths of a dollar; 0 is no bound.
    #[serde(default)]
    pub budget_month_micros: u64,
    /// `[repositories.limits]`
    #[serde(default)]
    pub limits: SomeLimits,
    #[serde(default)]
    pub sandbox: RepositorySandbox,
}

/// `[repositories.sandbox]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepositorySandbox {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkPolicy>,
    /// With `network = "allowlist"`.
    pub allow: Vec<HostPattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageChoice>,
    pub limits: SandboxLimits,
}

impl Repository {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let at = |why: &str| ConfigError::Invalid(format!("repositories: {}: {why}", self.path.display()));
        if !self.sandbox.allow.is_empty() && self.sandbox.network != Some(NetworkPolicy::Allowlist) {
            return Err(at("sandbox.allow is only used with sandbox.network = \"allowlist\""));
        }
        self.sandbox.limits.check().map_err(|why| at(&format!("sandbox.limits: {why}")))
    }

    pub(super) fn network(&self) -> Option<Network> {
        self.sandbox.network.map(|policy| policy.with(&self.sandbox.allow))
    }
}

/// `[[agents]]`: an agent that the catalogue does not have; any program that speaks ACP on standard input and output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomAgent {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Absolute path of the program inside the sandbox. In it, in `args` and in the values of `env`, `{tools}`,
    /// `{home}`, `{gateway}` and `{model}` stand for what they are inside.
    pub command: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}
