//! The agents of this installation, and how one is started in a sandbox of ours.

use crate::config::Config;
use crate::engine::Shared;
use crate::error::CommandError;
use bytes::Bytes;
use lamplight_agent::catalogue::SANDBOX_PATH;
use lamplight_agent::install::{self, InstallError, Progress};
use lamplight_agent::{Agent, Catalogue, Context, Models, Setup};
use lamplight_domain::artifact::ARTIFACTS;
use lamplight_domain::permission::Policy;
use lamplight_domain::session::SessionView;
use lamplight_domain::{ImageDigest, SessionSpec};
use lamplight_gateway::CompatibleName;
use lamplight_sandbox::link::ProcessSpec;
use lamplight_sandbox::provider::{ReadOnlyMount, inside};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the tools directory is inside.
pub(crate) const TOOLS: &str = "/opt/lamplight/tools";

/// One agent of the catalogue, as seen on this machine.
#[derive(Debug, Clone)]
pub struct AgentInfo {
    pub name: String,
    pub title: String,
    /// The version found in the tools directory; `None` when it has to be installed first.
    pub installed: Option<String>,
    pub default: bool,
    /// Upstreams whose models it can have, in the order of preference; empty where that is not known.
    pub upstreams: Vec<String>,
    /// Its models are named with their upstream in front, such as `openai/gpt-5.1`.
    pub names_upstream: bool,
}

impl crate::Engine {
    pub fn agents(&self) -> Vec<AgentInfo> {
        list(&self.shared.config).unwrap_or_default()
    }
}

/// All agents that sessions may run.
pub fn list(config: &Config) -> Result<Vec<AgentInfo>, lamplight_agent::catalogue::BadAgent> {
    let info = |agent: &Agent| AgentInfo {
        name: agent.name.clone(),
        title: agent.title.clone(),
        installed: version(config, agent),
        default: agent.name == config.default_agent,
        upstreams: upstreams(config, agent),
        names_upstream: agent.quirks.names_upstream,
    };
    Ok(catalogue(config)?.iter().map(info).collect())
}

fn upstreams(config: &Config, agent: &Agent) -> Vec<String> {
    let mut vendors: Vec<_> = agent.speaks.iter().map(|protocol| protocol.upstream()).collect();
    vendors.dedup();
    let compatible = config.models.compatible.keys().filter(|_| agent.takes_compatible());
    vendors.into_iter().map(str::to_owned).chain(compatible.map(ToString::to_string)).collect()
}

/// Installs an agent into the tools directory.
pub async fn install(
    config: &Config,
    name: &str,
    progress: impl FnMut(Progress) + Send,
) -> Result<(), InstallAgentError> {
    let catalogue = catalogue(config)?;
    let agent = catalogue.get(name).ok_or_else(|| InstallAgentError::Unknown {
        name: name.to_owned(),
        known: catalogue.iter().map(|agent| agent.name.clone()).collect(),
    })?;
    Ok(install::install(&config.tools_dir, agent, progress).await?)
}

/// Why an agent was not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallAgentError {
    #[error("there is no agent {name:?}; there are {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error(transparent)]
    Bad(#[from] lamplight_agent::catalogue::BadAgent),
    #[error(transparent)]
    Install(#[from] InstallError),
}

pub(crate) fn catalogue(config: &Config) -> Result<Catalogue, lamplight_agent::catalogue::BadAgent> {
    let mut catalogue = Catalogue::built_in();
    for configured in &config.agents {
        catalogue.add(configured.clone())?;
    }
    Ok(catalogue)
}

/// An agent that a new session may have: known, and there.
pub(crate) fn usable<'a>(shared: &'a Shared, name: &str) -> Result<&'a Agent, CommandError> {
    let agent = shared.catalogue.get(name).ok_or_else(|| {
        let known: Vec<&str> = shared.catalogue.iter().map(|agent| agent.name.as_str()).collect();
        CommandError::invalid(
            "agent_unknown",
            format!("there is no agent {name:?}"),
            format!("use one of {}", known.join(", ")),
        )
    })?;
    if version(&shared.config, agent).is_none() {
        return Err(CommandError::invalid(
            "agent_not_installed",
            format!("{} is not installed", agent.title),
            format!("lamplight agents install {name}"),
        ));
    }
    Ok(agent)
}

/// A model of an upstream that the configuration names is for agents that can be sent there.
pub(crate) fn refuse_unreachable(
    shared: &Shared,
    agent: &Agent,
    model: Option<&str>,
) -> Result<(), CommandError> {
    match model.and_then(|model| shared.config.models.compatible_of(model)) {
        Some((upstream, _)) if !agent.takes_compatible() => {
            let others = shared.catalogue.iter().filter(|agent| agent.takes_compatible());
            let others: Vec<_> = others.map(|agent| agent.name.as_str()).collect();
            Err(CommandError::invalid(
                "model_unreachable",
                format!("{} cannot ask {upstream}, which speaks OpenAI's protocol", agent.title),
                format!(
                    "choose another model, or one of {}; an agent of [[agents]] with {{openai}} in what it is started with can, too",
                    others.join(", ")
                ),
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether this model may be chosen although the agent does not offer it: it or the present one is of an upstream that the configuration
/// names, and the agent offers what its own has.
pub(crate) fn offered_elsewhere(
    shared: &Shared,
    view: &SessionView,
    model: &str,
) -> Result<bool, CommandError> {
    if let Some(agent) = shared.catalogue.get(&view.agent) {
        refuse_unreachable(shared, agent, Some(model))?;
    }
    let is_named = |model: &str| shared.config.models.compatible_of(model).is_some();
    Ok(is_named(model) || view.model.as_deref().is_some_and(is_named))
}

/// The upstream that an agent which was begun with this model was sent to, and which it does not name in front of its models itself.
pub(crate) fn unnamed<'a>(
    shared: &'a Shared,
    agent: &str,
    model: Option<&str>,
) -> Option<&'a CompatibleName> {
    let agent = shared.catalogue.get(agent).filter(|agent| !agent.quirks.names_upstream)?;
    let (upstream, _) = shared.config.models.compatible_of(model?).filter(|_| agent.takes_compatible())?;
    Some(upstream)
}

/// An agent without packages is whatever the configuration says it is, and needs no installing.
fn version(config: &Config, agent: &Agent) -> Option<String> {
    if agent.packages.is_empty() {
        Some("configured".into())
    } else {
        install::installed(&config.tools_dir, agent)
    }
}

pub(crate) fn title(shared: &Shared, name: &str) -> String {
    shared.catalogue.get(name).map_or_else(|| name.to_owned(), |agent| agent.title.clone())
}

/// What of this machine every sandbox can read. Where it can read nothing, the same has to be in what sandboxes are made from.
pub(crate) fn mounts(shared: &Shared) -> Vec<ReadOnlyMount> {
    let tools = ReadOnlyMount { host: shared.config.tools_dir.clone(), inside: PathBuf::from(TOOLS) };
    shared.provider.capabilities().host_mounts.then_some(tools).into_iter().collect()
}

/// How an agent's process is started.
pub(crate) struct Start {
    pub process: ProcessSpec,
    /// Absolute paths inside, and contents, to be there before.
    pub files: Vec<(String, Bytes)>,
}

/// `None` when the configuration no longer has an agent of this name.
pub(crate) fn start(
    shared: &Shared,
    name: &str,
    model: Option<String>,
    image: Option<&ImageDigest>,
) -> Option<Start> {
    let agent = shared.catalogue.get(name)?;
    let compatible = model.as_deref().and_then(|model| shared.config.models.compatible_of(model));
    let compatible = compatible.map(|(upstream, model)| (upstream.to_string(), model.to_owned()));
    let (compatible, model) = match compatible.filter(|_| agent.takes_compatible()) {
        Some((upstream, model)) => (Some(upstream), Some(model)),
        None => (None, model),
    };
    let upstreams = shared.gateway.upstreams();
    let models = if shared.config.scripted_model {
        Models::Scripted
    } else {
        Models::Keys {
            openai: upstreams.openai.is_some(),
            anthropic: upstreams.anthropic.is_some(),
            gemini: upstreams.gemini.is_some(),
        }
    };
    let setup = Setup {
        tools_dir: TOOLS.into(),
        home: inside::HOME.into(),
        gateway: format!("http://{}", inside::GATEWAY),
        model,
        compatible,
        models,
    };
    let launch = agent.launch(&setup);
    let mut env: BTreeMap<String, String> = launch.env.into_iter().collect();
    if shared.config.children.may_be_begun_inside() {
        env.insert("LAMPLIGHT_SESSIONS".to_owned(), format!("http://{}/sessions", inside::GATEWAY));
    }
    env.insert("LAMPLIGHT_ARTIFACTS".to_owned(), format!("{}/{ARTIFACTS}", inside::WORKSPACE));
    if let (Some(path), Some(machines)) =
        (env.get_mut("PATH"), shared.provider.environment(image).get("PATH"))
    {
        *path = path.replacen(SANDBOX_PATH, machines, 1);
    }
    let process = ProcessSpec { argv: launch.argv, env, cwd: Some(inside::WORKSPACE.into()), stdin: true };
    let files = launch.home_files.into_iter();
    let files = files.map(|(path, text)| (format!("{}/{path}", inside::HOME), Bytes::from(text))).collect();
    Some(Start { process, files })
}

/// What rendering a message needs to know. It follows from the log, and so does what is written.
pub(crate) fn writing(spec: &SessionSpec, images: BTreeMap<String, Bytes>) -> Context {
    let questions = spec.permissions == Policy::Ask;
    Context { cwd: inside::WORKSPACE.into(), home: inside::HOME.into(), images, questions }
}
