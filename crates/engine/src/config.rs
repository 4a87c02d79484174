//! What the engine is told by whoever starts it. Plain data; only the server reads files and the environment.

use crate::ArchiveConfig;
use crate::BudgetsConfig;
use crate::ChildrenConfig;
use crate::CloudKey;
use crate::QueueConfig;
use crate::forge::ForgeConfig;
use crate::hooks::HooksConfig;
use crate::keys::{GitHubStored, SealingSource};
use crate::rights::RightsConfig;
use crate::traces::TracesConfig;
use lamplight_agent::catalogue::Configured;
use lamplight_domain::permission::Policy;
use lamplight_domain::{
    CheckPolicy, GuardPolicy, ImageChoice, Limits, Network, Person, Redaction, SandboxLimits, SomeLimits,
};
use lamplight_gateway::{CompatibleName, ModelPrice, Outside, Secret, Tariff, UpstreamName};
use lamplight_integrations::GitHubConfig;
use lamplight_integrations::sign_in::GitHubSignInConfig;
use lamplight_sandbox::providers::local::{DiskLimit, Repositories};
use lamplight_store::{BadAddress, BucketSettings, PostgresAddress};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Config {
    /// The log, the sandboxes' files and everything else that has to outlive the process.
    pub data_dir: PathBuf,
    /// Where the log is; `None` is in the data directory, on SQLite.
    pub database: Option<DatabaseConfig>,
    /// Where blobs are; `None` is in the data directory.
    pub bucket: Option<BucketSettings>,
    /// Where other servers on the same database reach this one, such as `http://10.0.0.7:7410`.
    pub servers_address: Option<String>,
    /// Where agents are installed; read-only inside sandboxes.
    pub tools_dir: PathBuf,
    pub default_agent: String,
    /// The model of sessions with the default agent, where they name none; in that agent's words.
    pub default_model: Option<String>,
    /// Agents beside those of the catalogue.
    pub agents: Vec<Configured>,
    pub models: ModelsConfig,
    /// Where pull requests are opened; `None` where there is neither token nor App.
    pub github: Option<GitHubConfig>,
    /// What is taken from there; `None` where nothing is.
    pub forge: Option<ForgeConfig>,
    /// Both with secrets that are stored, where the configuration names none.
    pub github_stored: GitHubStored,
    /// How people's rights on its repositories are asked for; `None` where nobody signs in by it.
    pub rights: Option<RightsConfig>,
    /// Whom people sign in by, where pull requests are opened as them; `None` where they are opened in the server's own name.
    pub on_behalf: Option<GitHubSignInConfig>,
    /// What stored secrets are sealed with.
    pub sealing: SealingSource,
    /// Learns every secret; whatever is written passes it.
    pub redaction: Redaction,
    /// A scripted model answers instead of a real one.
    pub scripted_model: bool,
    pub limits: Limits,
    /// Before those, by repository and role, and the most that whoever is no admin can ask for.
    pub guards: GuardPolicy,
    /// What all sessions, or all of one person, may cost in a month.
    pub budgets: BudgetsConfig,
    /// How many sandboxes there may be at a time.
    pub queue: QueueConfig,
    /// To how many sessions one task can be given at once; with less than 2 to no more than one.
    pub attempts: u32,
    /// How far sessions may begin others.
    pub children: ChildrenConfig,
    /// When logs that nobody asks for any more go into blobs.
    pub archive: ArchiveConfig,
    pub permissions: Policy,
    /// Of SSH, that commits are signed with on this machine.
    pub signing_key: Option<PathBuf>,
    /// Which checks run on what a turn has committed.
    pub checks: CheckPolicy,
    /// Who authors commits where the repository's git configuration names nobody.
    pub person: Option<Person>,
    pub sandbox: SandboxConfig,
    /// What programs in sandboxes may connect to, where a session does not say otherwise.
    pub network: Network,
    /// What the files of sandboxes begin with, where a session does not say otherwise.
    pub image: ImageChoice,
    pub outside: Outside,
    /// Where hooks may be.
    pub hooks: HooksConfig,
    /// Where what took how long is told; `None` is nowhere.
    pub traces: Option<TracesConfig>,
    /// Whose images programs may have fetched; of no others.
    pub registries: Vec<Repositories>,
    /// What sessions of some repositories get where they do not say otherwise, before all of the above.
    pub repositories: Vec<RepositoryConfig>,
}

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// With its password.
    pub url: Secret,
    /// Certificates that the server's has to come from; `None` are those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

impl DatabaseConfig {
    pub fn address(&self) -> Result<PostgresAddress, BadAddress> {
        PostgresAddress::new(self.url.expose(), self.ca_file.as_deref())
    }
}

/// What sessions of one repository get; `None`, and what says nothing, is as for all.
#[derive(Debug, Clone, Default)]
pub struct RepositoryConfig {
    pub path: PathBuf,
    pub agent: Option<String>,
    pub permissions: Option<Policy>,
    pub limits: SomeLimits,
    pub sandbox: SandboxLimits,
    pub network: Option<Network>,
    pub image: Option<ImageChoice>,
    /// `owner/name` of repositories on GitHub that its sessions may read, as submodules.
    pub submodules: Vec<String>,
    /// Whether they may read its large files (Git LFS) and those of `submodules`, and bring new ones.
    pub lfs: bool,
    /// What all sessions on it may cost in a calendar month (UTC), in millionths of a dollar; 0 is no bound.
    pub budget_month_micros: u64,
}

/// Where models are, and the keys that the environment holds.
#[derive(Debug, Clone, Default)]
pub struct ModelsConfig {
    pub openai: EndpointConfig,
    pub anthropic: EndpointConfig,
    pub gemini: EndpointConfig,
    /// Upstreams beside the vendors, which speak OpenAI's protocol; each has a `base`.
    pub compatible: BTreeMap<CompatibleName, EndpointConfig>,
    /// What models cost here, before what the public price lists say.
    pub prices: Vec<ModelPrice>,
}

/// One upstream of models.
#[derive(Debug, Clone, Default)]
pub struct EndpointConfig {
    /// `None` is the vendor's own. With one it is asked without a key too.
    pub base: Option<String>,
    pub key: Option<Secret>,
    /// The name of the variable that the key is from.
    pub variable: Option<String>,
    /// A variable that holds the vendor's key, and that key, which is not sent to this address.
    pub kept_back: Option<(String, Secret)>,
    pub tariff: Tariff,
}

impl ModelsConfig {
    /// `None` where it says nothing of one of that name.
    pub(crate) fn of(&self, name: &UpstreamName) -> Option<&EndpointConfig> {
        match name {
            UpstreamName::OpenAi => Some(&self.openai),
            UpstreamName::Anthropic => Some(&self.anthropic),
            UpstreamName::Gemini => Some(&self.gemini),
            UpstreamName::Compatible(name) => self.compatible.get(name),
        }
    }

    /// The upstream in front of a model such as `local/llama3`, and what the model is called there. Of all others, the agent knows whose
    /// they are.
    pub(crate) fn compatible_of<'a, 'b>(&'a self, model: &'b str) -> Option<(&'a CompatibleName, &'b str)> {
        let (upstream, model) = model.split_once('/').filter(|(_, model)| !model.is_empty())?;
        let (name, _) = self.compatible.get_key_value(upstream)?;
        Some((name, model))
    }
}

impl Config {
    /// `repository` has no symbolic link in it.
    pub(crate) fn of(&self, repository: &Path) -> Option<&RepositoryConfig> {
        let is_it = |ours: &&RepositoryConfig| {
            ours.path == repository || ours.path.canonicalize().is_ok_and(|path| path == repository)
        };
        self.repositories.iter().find(is_it)
    }
}

/// Where sandboxes come from, and what they find of this machine.
#[derive(Debug, Clone, Default)]
pub struct SandboxConfig {
    /// Directories of the machine's toolchains that are readable inside, beside the usual ones.
    pub tool_dirs: Vec<PathBuf>,
    /// The home directory whose toolchains (cargo, nvm, pyenv…) are found and offered inside.
    pub home: Option<PathBuf>,
    /// The program that is started again as the launcher; this program, unless a test says otherwise.
    pub launcher: Option<PathBuf>,
    /// The container runtime that puts sandboxes up, by name or path, where the launcher does not do it itself.
    pub runtime: Option<String>,
    /// How what sessions take of the disk is held to its limit.
    pub disk_limit: DiskLimit,
    /// What each sandbox may use, where a session asks for nothing else.
    pub limits: SandboxLimits,
    /// Whether sandboxes run even where a wall is missing that nothing should run without.
    pub is_unsafe: bool,
    /// Makes them instead of this machine.
    pub cloud: Option<CloudConfig>,
}

/// A cloud that speaks E2B, and what its sandboxes are made from.
#[derive(Debug, Clone)]
pub struct CloudConfig {
    /// Of the environment. One that is stored comes before it.
    pub key: Option<Secret>,
    /// The name of the variable that the key is from.
    pub variable: Option<String>,
    /// What the cloud is asked with now. Without one nothing can be made.
    pub current: CloudKey,
    /// Its API is at `api.` under it, unless `api_url` says otherwise.
    pub domain: String,
    pub api_url: Option<String>,
    /// One address for all sandboxes, where they have none of their own.
    pub sandbox_url: Option<String>,
    pub template: String,
    /// Who everything runs as inside; made where the template has nobody of this name.
    pub user: String,
    /// What sandboxes of this installation are known by; `None` is a name that is made once and kept in the data directory.
    pub deployment: Option<String>,
    /// After so long without anybody who works in it the cloud pauses a sandbox.
    pub timeout_seconds: u64,
    /// Whether sandboxes of sessions that may reach everything have the cloud's own internet.
    pub internet: bool,
    /// Whether the cloud keeps files.
    pub snapshots: bool,
}

impl CloudConfig {
    /// Where the cloud is asked.
    pub(crate) fn api(&self) -> String {
        self.api_url.clone().unwrap_or_else(|| format!("https://api.{}", self.domain))
    }
}
