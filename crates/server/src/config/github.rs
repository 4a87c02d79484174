//! `[github]`: where pull requests are opened, and what is taken from there.

mod addresses;

pub use addresses::Addresses;

use super::{ConfigError, Environment, Secret};
use lamplight_engine::{Access, ForgeConfig, GitHubConfig, GitHubStored, Words};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variables that people have a token in; the first that is set counts.
const TOKENS: [&str; 2] = ["GITHUB_TOKEN", "GH_TOKEN"];
const WEBHOOK_SECRET: &str = "GITHUB_WEBHOOK_SECRET";
const PUBLIC: &str = "github.com";
/// A shorter one could be guessed, and could not be kept out of logs.
const SHORTEST_SECRET: usize = 16;
/// From one look to the next, in seconds: where nothing is sent, and where looks are for what was missed.
const POLL_ALONE: u64 = 10;
const POLL_BESIDE: u64 = 300;
/// GitHub asks not to be asked more often.
const LEAST_POLL: u64 = 1;
/// No key file is larger.
const KEY_BYTES: u64 = 64 * 1024;

/// `[github]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHub {
    /// As it stands in the addresses of remotes: `github.com`, or a GitHub Enterprise Server of one's own.
    pub host: String,
    /// Of its pages, where people sign in and where Apps are made; default: `https://<host>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    /// Of the REST interface; default: `https://api.github.com`, of another host `https://<host>/api/v3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Of the GraphQL interface; default: that of `api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graphql: Option<String>,
    /// Where git pushes to; default: `https://<host>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
    /// Name of the variable that holds the token; default: `GITHUB_TOKEN`, else `GH_TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Of a GitHub App, which then asks instead of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
    /// Its private key, as GitHub lets people download it; for its owner alone. Default: the one that `lamplight keys set github-app-key` has
    /// stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key_file: Option<PathBuf>,
    /// Name of the variable that holds the secret that deliveries are signed with; default: `GITHUB_WEBHOOK_SECRET`. While it is replaced, two
    /// lines: both are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret_env: Option<String>,
    /// A file with that secret, for its owner alone, where the variable is not set. Default: the one that is stored (`github-webhook-secret`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret_file: Option<PathBuf>,
    /// `owner/name` of the repositories that work is taken from. Empty: none; with an App, all that it is installed on and that send webhooks.
    pub repositories: Vec<String>,
    /// An issue with it is worked on.
    pub label: String,
    /// What stands in an issue or a comment that is meant for Lamplight.
    pub mention: String,
    /// An issue that is assigned to this user is worked on; default: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// From one look at the repositories to the next; 0 never looks. Default: 10, and 300 where webhooks come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_seconds: Option<u64>,
    /// Stands before the number in a pull request.
    pub closing_word: String,
    /// Its value, if it is set and not empty.
    #[serde(skip)]
    token: Option<Secret>,
    #[serde(skip)]
    webhook_secret: Option<Secret>,
    /// What is in the file; read by the server alone.
    #[serde(skip)]
    private_key: Option<Secret>,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            host: PUBLIC.to_owned(),
            web: None,
            api: None,
            graphql: None,
            git: None,
            token_env: None,
            app_id: None,
            private_key_file: None,
            webhook_secret_env: None,
            webhook_secret_file: None,
            repositories: Vec::new(),
            label: "lamplight".to_owned(),
            mention: "@lamplight".to_owned(),
            assignee: None,
            poll_seconds: None,
            closing_word: "Closes".to_owned(),
            token: None,
            webhook_secret: None,
            private_key: None,
        }
    }
}

impl GitHub {
    pub(super) fn take_secrets(&mut self, environment: &Environment) {
        let value =
            |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let token = match &self.token_env {
            Some(name) => value(name),
            None => TOKENS.into_iter().find_map(value),
        };
        self.token = token.map(Secret::new);
        let secret = self.webhook_secret_env.as_deref().unwrap_or(WEBHOOK_SECRET);
        self.webhook_secret = value(secret).map(Secret::new);
    }

    /// Whether it can be used as it is, but for secrets and files.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |why: String| Err(ConfigError::Invalid(why));
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if self.host.is_empty() || !self.host.chars().all(is_plain) {
            return wrong(format!(
                "github.host is {:?}, but it should be a name such as github.com",
                self.host
            ));
        }
        Addresses::check(self)?;
        if let Some(name) = self.repositories.iter().find(|name| !is_repository(name)) {
            return wrong(format!("github.repositories: {name:?} is no owner/name"));
        }
        for (name, word) in
            [("label", &self.label), ("mention", &self.mention), ("closing_word", &self.closing_word)]
        {
            if word.trim().is_empty() || word.contains(['\n', '\r']) {
                return wrong(format!("github.{name} is empty or has a line break in it"));
            }
        }
        if self.app_id.is_none() && self.private_key_file.is_some() {
            return wrong("github.private_key_file is there, but github.app_id is missing".to_owned());
        }
        Ok(())
    }

    /// What only the server needs, and what only it should be able to read.
    pub(super) fn read_key(&mut self) -> Result<(), ConfigError> {
        let wrong = |why: String| Err(ConfigError::Invalid(why));
        if let (None, Some(path)) = (&self.webhook_secret, &self.webhook_secret_file) {
            self.webhook_secret = Some(Secret::new(read_secret(path)?.trim()));
        }
        let is_short = |secret: &Secret| secret.reveal().lines().any(|line| line.len() < SHORTEST_SECRET);
        if self.webhook_secret.as_ref().is_some_and(is_short) {
            return wrong(format!(
                "the webhook secret has fewer than {SHORTEST_SECRET} characters; take a longer one"
            ));
        }
        // Without a file it is stored, or not there yet.
        if let (Some(_), Some(path)) = (self.app_id, &self.private_key_file) {
            self.private_key = Some(Secret::new(read_secret(path)?));
        }
        Ok(())
    }

    pub fn addresses(&self) -> Addresses {
        Addresses::of(self)
    }

    /// The host and its addresses as far as they do not follow from it, as lines of the section; nothing of github.com.
    pub fn lines(&self) -> String {
        let host = (self.host != PUBLIC).then_some(("host", self.host.as_str()));
        let all = host.into_iter().chain(Addresses::said(self));
        all.map(|(name, value)| format!("{name} = {value:?}\n")).collect()
    }

    fn access(&self) -> Option<Access> {
        match (self.app_id, &self.private_key) {
            (Some(id), Some(key)) => Some(Access::App { id, key: key.reveal().to_owned() }),
            (Some(_), None) => None,
            (None, _) => self.token.as_ref().map(|token| Access::Token(token.reveal().to_owned())),
        }
    }

    /// `None` without a token or an App.
    pub(super) fn engine(&self) -> Option<GitHubConfig> {
        Some(self.asked_by(self.access()?))
    }

    fn asked_by(&self, access: Access) -> GitHubConfig {
        let Addresses { api, graphql, git, .. } = self.addresses();
        GitHubConfig { host: self.host.clone(), api, graphql, git, access }
    }

    /// What is so with secrets that are stored, where neither a file nor a variable is named.
    pub(super) fn stored(&self, address: String) -> GitHubStored {
        let app = self.app_id.filter(|_| self.private_key_file.is_none());
        let app = app.map(|id| self.asked_by(Access::App { id, key: String::new() }));
        let has_webhook_secret = self.webhook_secret.is_some() || self.webhook_secret_file.is_some();
        let forge = (!has_webhook_secret).then(|| self.taken(address, true)).flatten();
        GitHubStored { app, forge, has_app_key: self.private_key_file.is_some(), has_webhook_secret }
    }

    /// `None` where no work is taken from GitHub.
    pub(super) fn forge(&self, address: String) -> Option<ForgeConfig> {
        self.taken(address, self.webhook_secret.is_some())
    }

    fn taken(&self, address: String, takes_deliveries: bool) -> Option<ForgeConfig> {
        let is_wanted = !self.repositories.is_empty() || self.app_id.is_some() && takes_deliveries;
        let default = if takes_deliveries { POLL_BESIDE } else { POLL_ALONE };
        let poll = self.poll_seconds.unwrap_or(default);
        is_wanted.then(|| ForgeConfig {
            words: Words {
                label: self.label.clone(),
                mention: self.mention.clone(),
                assignee: self.assignee.clone(),
            },
            repositories: self.repositories.clone(),
            webhook_secret: self
                .webhook_secret
                .as_ref()
                .map(|secret| lamplight_engine::Secret::new(secret.reveal())),
            poll: (poll >= LEAST_POLL).then(|| Duration::from_secs(poll)),
            address,
            closing_word: self.closing_word.clone(),
        })
    }
}

/// For its owner alone.
fn read_secret(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    let shown = path.display();
    if found.mode() & 0o077 != 0 {
        return Err(ConfigError::Invalid(format!("{shown} can be read by others: chmod 600 {shown}")));
    }
    if found.len() > KEY_BYTES {
        return Err(ConfigError::Invalid(format!("{shown} is too large for a key or a secret")));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

pub(super) fn is_repository(name: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    name.split_once('/').is_some_and(|(owner, name)| is_plain(owner) && is_plain(name))
}
