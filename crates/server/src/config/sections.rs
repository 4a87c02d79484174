//! The concerns of the configuration, one struct each.

use super::github::is_repository;
use super::{Auth, ConfigError};
use lamplight_domain::permission::Policy;
use lamplight_domain::{HostPattern, ImageChoice, Network, SandboxLimits, SomeLimits};
use lamplight_engine::DiskLimit;
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
    /// Under which people reach the page, for links to it elsewhere, such as `https://lamplight.example.org`. Default: what is listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Where previews of ports are: `p3000-<session>` under it. It may have a port, needs TLS, and must be no host of the page.
    /// Default: `localhost`, which browsers take for their own machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview_domain: Option<String>,
    /// How requests from beyond this machine are kept from being read on their way. Without, only loopback may be listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
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
            public_url: None,
            preview_domain: None,
            tls: None,
            threads: 2,
        }
    }
}

impl Server {
    /// Beyond loopback there has to be a sign-in, and a word about how tokens and cookies are kept from being read on their way.
    pub(super) fn check(&self, auth: &Auth) -> Result<(), ConfigError> {
        let beyond = !self.listen.ip().is_loopback();
        if beyond && !auth.required {
            return Err(ConfigError::Invalid(format!(
                "server.listen is {}, where anybody could ask; set auth.required = true, so that people sign in, or listen on 127.0.0.1:7410",
                self.listen
            )));
        }
        if beyond && self.tls.is_none() {
            return Err(ConfigError::Invalid(format!(
                "server.listen is {}, and what people sign in with could be read on its way; put something that speaks HTTPS in front and set server.tls = \"in_front\", or set server.tls = \"none\" where nobody else is on the network, such as a VPN",
                self.listen
            )));
        }
        let is_url = |url: &String| ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_url(url)) {
            return Err(ConfigError::Invalid(format!(
                "server.public_url is {url:?}, but it should begin with https://"
            )));
        }
        if let Some(domain) = self.preview_domain.as_ref().filter(|domain| !is_domain(domain)) {
            return Err(ConfigError::Invalid(format!(
                "server.preview_domain is {domain:?}, which is no domain; say it like previews.example.org, with :8443 behind it if need be"
            )));
        }
        if self.threads == 0 || self.threads > MAX_THREADS {
            return Err(ConfigError::Invalid(format!("server.threads must be between 1 and {MAX_THREADS}")));
        }
        Ok(())
    }
}

/// How what people sign in with is kept from being read on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Something in front of the server speaks HTTPS, and nothing else leads here.
    InFront,
    /// Not at all: nobody else is on the network.
    None,
}

/// A name, and a port if one is said.
pub(super) fn is_domain(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
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

/// `[sandbox]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    pub provider: Provider,
    /// Who puts sandboxes up: `own` for Lamplight itself, or the name or path of a container runtime such as `crun`, `runc` or `runsc`.
    pub launcher: Launcher,
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
    /// What all connections of one sandbox to the outside together carry in a minute, both ways; what is more is slowed down. 0 is no
    /// bound. Models and git are not counted.
    pub network_bytes_per_minute: u64,
    /// Run sandboxes even where this machine cannot put up a wall that nothing should run without; every view of such a
    /// session says so.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
    /// How what a session takes of the disk is held to its limit: `watched`, by looking several times a second, or `volume`, by a file
    /// system of its own for each session, for which the server has to be root and have loop devices and `mkfs.ext4`.
    pub disk_limit: DiskLimit,
    /// `[sandbox.limits]`: what each sandbox may use, where a session asks for nothing else.
    pub limits: SandboxLimits,
}

/// With less, connections would be taken for idle ones before it is their turn.
const LEAST_BYTES_PER_MINUTE: u64 = 1 << 20;

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
        if self.launcher.runtime().is_some_and(|program| program.trim().is_empty()) {
            return Err(ConfigError::Invalid(
                "sandbox.launcher is empty; it is \"own\", or the name or path of a container runtime"
                    .to_owned(),
            ));
        }
        if self.disk_limit == DiskLimit::Volume && self.launcher != Launcher::Own {
            return Err(ConfigError::Invalid(
                "sandbox.disk_limit = \"volume\" is only used with sandbox.launcher = \"own\"".to_owned(),
            ));
        }
        if (1..LEAST_BYTES_PER_MINUTE).contains(&self.network_bytes_per_minute) {
            return Err(ConfigError::Invalid(format!(
                "sandbox.network_bytes_per_minute is {}; the least is {LEAST_BYTES_PER_MINUTE}, and 0 is no bound",
                self.network_bytes_per_minute
            )));
        }
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
    /// A cloud that speaks E2B: `[e2b_provider]`.
    E2b,
}

/// Who puts sandboxes up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Launcher {
    #[default]
    Own,
    /// A program by name or path.
    Runtime(String),
}

/// The word for Lamplight itself.
const OWN: &str = "own";

impl Launcher {
    pub(super) fn runtime(&self) -> Option<&str> {
        match self {
            Self::Own => None,
            Self::Runtime(program) => Some(program),
        }
    }
}

impl From<String> for Launcher {
    fn from(text: String) -> Self {
        if text == OWN { Self::Own } else { Self::Runtime(text) }
    }
}

impl From<Launcher> for String {
    fn from(launcher: Launcher) -> Self {
        launcher.runtime().unwrap_or(OWN).to_owned()
    }
}

/// `[[repositories]]`: what sessions of one repository get where they do not say otherwise; what is left out is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its top directory.
    pub path: PathBuf,
    /// Who may use it, by name or e-mail address; default: every member. Admins may use any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Policy>,
    /// `owner/name` of repositories on the GitHub of `[github]` that its sessions may read, as submodules; only these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submodules: Vec<String>,
    /// Whether its sessions have its large files (Git LFS), and those of its submodules, from there; new ones go there with their branch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lfs: bool,
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
        if let Some(name) = self.submodules.iter().find(|name| !is_repository(name)) {
            return Err(at(&format!("submodules: {name:?} is no owner/name")));
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
