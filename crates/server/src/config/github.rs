//! `[github]`: where pull requests are opened.

use super::{ConfigError, Environment, Secret};
use serde::{Deserialize, Serialize};

/// The variables that people have a token in; the first that is set counts.
const TOKENS: [&str; 2] = ["GITHUB_TOKEN", "GH_TOKEN"];
const PUBLIC: &str = "github.com";

/// `[github]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHub {
    /// As it stands in the addresses of remotes: `github.com`, or a GitHub Enterprise Server of one's own.
    pub host: String,
    /// Of the REST interface; default: `https://api.github.com`, of another host `https://<host>/api/v3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Where git pushes to; default: `https://<host>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
    /// Name of the variable that holds the token; default: `GITHUB_TOKEN`, else `GH_TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Its value, if it is set and not empty.
    #[serde(skip)]
    token: Option<Secret>,
}

impl Default for GitHub {
    fn default() -> Self {
        Self { host: PUBLIC.to_owned(), api: None, git: None, token_env: None, token: None }
    }
}

impl GitHub {
    pub(super) fn take_token(&mut self, environment: &Environment) {
        let value =
            |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let token = match &self.token_env {
            Some(name) => value(name),
            None => TOKENS.into_iter().find_map(value),
        };
        self.token = token.map(Secret::new);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if self.host.is_empty() || !self.host.chars().all(is_plain) {
            let why = format!("github.host is {:?}, but it should be a name such as github.com", self.host);
            return Err(ConfigError::Invalid(why));
        }
        for (name, address) in [("api", &self.api), ("git", &self.git)] {
            let is_address =
                |address: &String| ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
            if let Some(address) = address.as_ref().filter(|address| !is_address(address)) {
                let why = format!("github.{name} is {address:?}, but it should begin with https://");
                return Err(ConfigError::Invalid(why));
            }
        }
        Ok(())
    }

    /// `None` without a token.
    pub(super) fn engine(&self) -> Option<lamplight_engine::GitHubConfig> {
        let plain = |address: &Option<String>, default: String| {
            address.as_ref().map_or(default, |address| address.trim_end_matches('/').to_owned())
        };
        let api = if self.host == PUBLIC {
            format!("https://api.{PUBLIC}")
        } else {
            format!("https://{}/api/v3", self.host)
        };
        Some(lamplight_engine::GitHubConfig {
            host: self.host.clone(),
            api: plain(&self.api, api),
            git: plain(&self.git, format!("https://{}", self.host)),
            token: self.token.as_ref()?.reveal().to_owned(),
        })
    }
}
