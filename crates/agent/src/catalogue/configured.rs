//! An agent that a person configured: any program that speaks ACP.

use super::{Agent, BadAgent, Launch, ModelProtocol, Quirks, Setup, Start};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Stands for where OpenAI's protocol leads to whoever has the model.
const OPENAI: &str = "{openai}";

/// One `[[agents]]` entry of the configuration. In `command`, `arguments` and the values of `environment`, the words
/// `{tools}`, `{home}` and `{gateway}` stand for those of the sandbox, `{model}` for the chosen model or nothing, and `{openai}` for where
/// the gateway speaks OpenAI's protocol with whoever has that model, without `/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configured {
    pub name: String,
    pub title: Option<String>,
    /// Absolute path inside the sandbox.
    pub command: String,
    #[serde(default)]
    pub arguments: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

impl Configured {
    pub(super) fn into_agent(self) -> Result<Agent, BadAgent> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !self.name.bytes().all(word) || !self.name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(BadAgent::Name { name: self.name });
        }
        if self.command.is_empty() {
            return Err(BadAgent::NoCommand { name: self.name });
        }
        Ok(Agent {
            name: self.name.clone(),
            title: self.title.clone().unwrap_or_else(|| self.name.clone()),
            packages: Vec::new(),
            needs_node: false,
            // Whichever it was configured to.
            speaks: &[
                ModelProtocol::OpenAiChat,
                ModelProtocol::OpenAiResponses,
                ModelProtocol::AnthropicMessages,
                ModelProtocol::Gemini,
            ],
            mode: None,
            quirks: Quirks::default(),
            start: Start::Configured(self),
        })
    }

    /// Whether it asks whoever has the model.
    pub(super) fn follows_the_model(&self) -> bool {
        let texts = [&self.command].into_iter().chain(&self.arguments).chain(self.environment.values());
        texts.into_iter().any(|text| text.contains(OPENAI))
    }

    pub(super) fn launch(&self, setup: &Setup) -> Launch {
        let fill = |text: &String| {
            text.replace("{tools}", &setup.tools_dir)
                .replace("{home}", &setup.home)
                .replace("{gateway}", &setup.gateway)
                .replace(OPENAI, &setup.openai_host())
                .replace("{model}", setup.model.as_deref().unwrap_or(""))
        };
        let argv = std::iter::once(&self.command).chain(&self.arguments).map(fill);
        let mut launch = setup.launch(argv);
        for (name, value) in &self.environment {
            launch.set(name, &fill(value));
        }
        launch
    }
}
