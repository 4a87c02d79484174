//! Keys of model upstreams, and of the cloud that sandboxes are made in. No answer has any part of one.

pub mod list;
pub mod remove;
pub mod set;
pub mod test;

use super::App;
use super::problem::Problem;
use super::resources::Moment;
use axum::http::StatusCode;
use lamplight_engine::{Engine, GitHubSecret, GitHubSecretInfo, KeyInfo, KeyName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An upstream of models, or a cloud of sandboxes, and where its key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// `openai` (or whoever is asked in its place), `anthropic`, `gemini`, or an upstream that the configuration names; `e2b` is the cloud
    /// that sandboxes are made in; of a GitHub App `github-app-key` and `github-webhook-secret`.
    #[schema(example = "openai")]
    pub name: String,
    pub source: KeySource,
    /// Of a stored one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub set_at: Option<Moment>,
    /// The variable of the server that has a key; with a stored one, and at an address that is asked without one, it is not used.
    pub variable: Option<String>,
    /// Where it is asked.
    pub base: String,
    /// Why a stored key cannot be used, and what to do.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    Stored,
    Environment,
    /// The configuration names a file or a variable with it.
    Configured,
    /// The configuration has an address for it, which is asked without a key.
    NotNeeded,
    Missing,
}

impl From<KeyInfo> for Key {
    fn from(info: KeyInfo) -> Self {
        let (source, set_at, variable) = match info.source {
            lamplight_engine::KeySource::Stored { set_at, variable } => {
                (KeySource::Stored, Some(Moment(set_at)), variable)
            }
            lamplight_engine::KeySource::Environment { variable } => {
                (KeySource::Environment, None, Some(variable))
            }
            lamplight_engine::KeySource::NotNeeded { variable } => (KeySource::NotNeeded, None, variable),
            lamplight_engine::KeySource::Missing => (KeySource::Missing, None, None),
        };
        let (name, base, problem) = (info.name.to_string(), info.base, info.problem);
        Self { name, source, set_at, variable, base, problem }
    }
}

fn of_github(app: &App, info: GitHubSecretInfo) -> Key {
    let source = match (info.is_configured, info.set_at) {
        (true, _) => KeySource::Configured,
        (false, Some(_)) => KeySource::Stored,
        (false, None) => KeySource::Missing,
    };
    let (name, set_at) = (info.name.to_string(), info.set_at.map(Moment));
    let base = app.config.github.addresses().api;
    Key { name, source, set_at, variable: None, base, problem: info.problem }
}

/// Of what can be stored here.
enum Named {
    Key(KeyName),
    GitHub(GitHubSecret),
}

/// The `{name}` of a path.
fn named(engine: &Engine, name: &str) -> Result<Named, Problem> {
    match name.parse() {
        Ok(name) => Ok(Named::GitHub(name)),
        Err(_) => key(engine, name).map(Named::Key),
    }
}

/// The `{name}` of a path that can be tried.
fn key(engine: &Engine, name: &str) -> Result<KeyName, Problem> {
    let known = engine.key_names();
    known.iter().find(|known| known.as_str() == name).cloned().ok_or_else(|| {
        let known: Vec<_> = known.iter().map(KeyName::as_str).collect();
        let detail = format!("there is no such upstream; there are {}", known.join(", "));
        let remedy =
            "Take one of these names, or write [models.compatible.NAME] into the server's configuration.";
        Problem::new(StatusCode::NOT_FOUND, "upstream_unknown", detail, remedy)
    })
}
