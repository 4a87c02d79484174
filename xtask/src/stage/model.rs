//! The model behind the agent: one that a key of the environment opens, or the scripted one.

use super::{Agent, Stage};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Variables that say where a model is; none of them counts once the model is scripted.
const UPSTREAM: [&str; 7] = [
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
];

#[derive(Debug)]
pub(crate) enum Model {
    /// The variable that holds the key.
    Key(&'static str),
    Scripted(Scripted),
}

/// The scripted model as a process; ends with this value.
#[derive(Debug)]
pub(crate) struct Scripted {
    process: Child,
    url: String,
}

impl Model {
    /// A real one wherever there is a key for it.
    pub(crate) fn choose(stage: &Stage, agent: Agent) -> Result<Self> {
        let is_set = |name: &&&str| std::env::var(name).is_ok_and(|key| !key.trim().is_empty());
        match agent.keys().iter().find(is_set) {
            Some(name) => Ok(Self::Key(name)),
            None => Self::scripted(stage, None),
        }
    }

    /// The scripted one, with scenarios of that file beside its own.
    pub(crate) fn scripted(stage: &Stage, script: Option<&Path>) -> Result<Self> {
        Ok(Self::Scripted(Scripted::start(stage, script)?))
    }

    /// Tells the server where its models are.
    pub(super) fn configure(&self, server: &mut Command) {
        let Self::Scripted(scripted) = self else { return };
        for name in UPSTREAM {
            server.env_remove(name);
        }
        server.env("LAMPLIGHT_MODELS_SCRIPTED", "true");
        server.env("LAMPLIGHT_MODELS_OPENAI_BASE", format!("{}/v1", scripted.url));
        server.env("LAMPLIGHT_MODELS_ANTHROPIC_BASE", &scripted.url);
    }
}

impl Scripted {
    fn start(stage: &Stage, script: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(stage.workspace.program(stage.profile, "lamplight-scripted-model"));
        if let Some(script) = script {
            command.arg("--script").arg(script);
        }
        // A process group of its own: Ctrl-C stops a turn, not the model.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn().context("start the scripted model")?;
        let stdout = process.stdout.take().context("read what the scripted model says")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said)?;
        match said.split_whitespace().find(|word| word.starts_with("http://")) {
            Some(url) => Ok(Self { process, url: url.to_owned() }),
            None => bail!("the scripted model did not start"),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // It keeps nothing; that it may be gone already is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
