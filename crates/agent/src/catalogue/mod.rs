//! The agents that there are. One file an agent; each is a row: what to install, how to start it, how its model is
//! reached and chosen, and what it does differently from the others.
//!
//! The model's address is always the gateway. The key that an agent is given is a word that opens nothing.

mod claude;
mod codex;
mod configured;
mod goose;
mod opencode;
mod qwen;
mod setup;

pub use configured::Configured;
pub use setup::{Launch, Models, SANDBOX_PATH, Setup};

use std::fmt;

/// Where the agent that is run when nobody names one stands in the catalogue.
pub const DEFAULT_AGENT: &str = "opencode";

/// One agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// What people type, such as `opencode`.
    pub name: String,
    /// What people read, such as `OpenCode`; also the co-author of its commits.
    pub title: String,
    /// What is installed from npm, one entry a package and machine; empty when there is nothing to install.
    pub packages: Vec<Package>,
    /// Runs on Node, which is then installed beside it.
    pub needs_node: bool,
    /// The protocols with which it can reach a model, in the order of preference.
    pub speaks: &'static [ModelProtocol],
    /// The mode to choose after a conversation is opened, so that the agent asks nobody: the sandbox is the boundary.
    pub mode: Option<&'static str>,
    pub quirks: Quirks,
    start: Start,
}

/// What an agent does differently from the protocol, where somebody has to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Leaves when its standard input is closed. The others are killed after the grace period at every stop.
    pub exits_at_end_of_input: bool,
    /// Can have models of all upstreams at a time, and names them `openai/gpt-5.1`.
    pub names_upstream: bool,
}

/// A vendor's way of asking a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelProtocol {
    OpenAiChat,
    OpenAiResponses,
    AnthropicMessages,
    Gemini,
}

impl ModelProtocol {
    /// Where the gateway passes it on to.
    pub fn upstream(self) -> &'static str {
        match self {
            Self::OpenAiChat | Self::OpenAiResponses => "openai",
            Self::AnthropicMessages => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// One npm package, with the exact version that was seen to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub machine: Machine,
}

/// Which machines a package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    Any,
    X64,
    Arm64,
}

impl Machine {
    /// The machine that this program was built for; `None` where no agent has a package.
    pub fn here() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Arm64)
        } else {
            None
        }
    }

    /// npm's word for it.
    pub(crate) fn npm(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
        }
    }
}

#[derive(Clone)]
enum Start {
    Known(fn(&Setup) -> Launch),
    Configured(Configured),
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(_) => f.write_str("Known"),
            Self::Configured(configured) => configured.fmt(f),
        }
    }
}

impl Agent {
    /// Whether it can have models of the upstreams that the configuration names, which speak OpenAI's protocol.
    pub fn takes_compatible(&self) -> bool {
        match &self.start {
            Start::Known(_) => self.speaks.iter().any(|protocol| protocol.upstream() == "openai"),
            Start::Configured(configured) => configured.follows_the_model(),
        }
    }

    /// How to start it: a function of the setup and nothing else.
    pub fn launch(&self, setup: &Setup) -> Launch {
        match &self.start {
            Start::Known(launch) => launch(setup),
            Start::Configured(configured) => configured.launch(setup),
        }
    }

    /// The packages for this machine; empty with a non-empty `packages` means that there are none for it.
    pub fn packages_here(&self) -> Vec<Package> {
        let here = Machine::here();
        let fits = |package: &&Package| package.machine == Machine::Any || Some(package.machine) == here;
        self.packages.iter().filter(fits).copied().collect()
    }
}

/// All agents of this installation: ours, and those of the configuration.
#[derive(Debug, Clone)]
pub struct Catalogue {
    agents: Vec<Agent>,
}

/// An agent of the configuration cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAgent {
    #[error("an agent is named {name:?}; use lower-case letters, digits and '-', beginning with a letter")]
    Name { name: String },
    #[error("two agents are named {name:?}; give yours another name")]
    Twice { name: String },
    #[error("agent {name:?} has an empty command")]
    NoCommand { name: String },
}

impl Catalogue {
    /// The agents that we know.
    pub fn built_in() -> Self {
        Self {
            agents: vec![opencode::agent(), claude::agent(), codex::agent(), goose::agent(), qwen::agent()],
        }
    }

    /// Adds an agent of the configuration.
    pub fn add(&mut self, configured: Configured) -> Result<(), BadAgent> {
        let agent = configured.into_agent()?;
        if self.get(&agent.name).is_some() {
            return Err(BadAgent::Twice { name: agent.name });
        }
        self.agents.push(agent);
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.agents.iter()
    }
}
