//! What the engine is told by whoever starts it. Plain data; only the server reads files and the environment.

use lamplight_agent::catalogue::Configured;
use lamplight_domain::permission::Policy;
use lamplight_domain::{ImageChoice, Limits, Network, Person, SandboxLimits, SomeLimits};
use lamplight_gateway::{Outside, Upstreams};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Config {
    /// The log, the sandboxes' files and everything else that has to outlive the process.
    pub data_dir: PathBuf,
    /// Where agents are installed; read-only inside sandboxes.
    pub tools_dir: PathBuf,
    pub default_agent: String,
    /// Agents beside those of the catalogue.
    pub agents: Vec<Configured>,
    pub upstreams: Upstreams,
    /// A scripted model answers instead of a real one.
    pub scripted_model: bool,
    pub limits: Limits,
    pub permissions: Policy,
    /// Who authors commits where the repository's git configuration names nobody.
    pub person: Option<Person>,
    pub sandbox: SandboxConfig,
    /// What programs in sandboxes may connect to, where a session does not say otherwise.
    pub network: Network,
    /// What the files of sandboxes begin with, where a session does not say otherwise.
    pub image: ImageChoice,
    pub outside: Outside,
    /// What sessions of some repositories get where they do not say otherwise, before all of the above.
    pub repositories: Vec<RepositoryConfig>,
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
    /// What each sandbox may use, where a session asks for nothing else.
    pub limits: SandboxLimits,
    /// Whether sandboxes run even where a wall is missing that nothing should run without.
    pub is_unsafe: bool,
}
