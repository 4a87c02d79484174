//! Secrets of a GitHub App, stored beside the keys of models and sealed with the same key.
//!
//! A file or a variable that the configuration names counts before what is stored. What is stored counts from the next start on: on GitHub it is
//! changed at another moment anyway.

use super::{Keys, Stored, check};
use crate::config::Config;
use crate::error::CommandError;
use crate::forge::{ForgeConfig, GitHubFinding, WEBHOOK_SECRET};
use crate::pull_request::APP_KEY;
use crate::{Engine, clock};
use anyhow::Context as _;
use lamplight_domain::{KnownSecret, Timestamp};
use lamplight_gateway::Secret;
use lamplight_integrations::GitHubConfig;
use lamplight_integrations::github::{Access, check_app_key};
use lamplight_store::Store;
use std::fmt;
use std::str::FromStr;
use std::sync::PoisonError;

/// A shorter one could be guessed.
const SHORTEST_WEBHOOK_SECRET: usize = 16;
/// No key of an App is longer, in bytes.
const LONGEST_APP_KEY: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GitHubSecret {
    /// The private key of the App, as GitHub gives it (PEM).
    AppKey,
    /// What deliveries are signed with.
    WebhookSecret,
}

/// One of them, without anything of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubSecretInfo {
    pub name: GitHubSecret,
    /// Of what is stored; `None` where nothing is.
    pub set_at: Option<Timestamp>,
    /// A file or a variable of the configuration has one, which counts.
    pub is_configured: bool,
    /// Why what is stored cannot be used, and what to do.
    pub problem: Option<String>,
}

/// What is so with what is stored, where the configuration names neither a file nor a variable.
#[derive(Debug, Clone, Default)]
pub struct GitHubStored {
    /// The App, but for its key; `None` where the key is configured, and where there is no App.
    pub app: Option<GitHubConfig>,
    /// What is taken from there, but for the webhook's secret; `None` where that is configured, and where nothing would be taken.
    pub forge: Option<ForgeConfig>,
    pub has_app_key: bool,
    pub has_webhook_secret: bool,
}

impl GitHubSecret {
    pub const ALL: [Self; 2] = [Self::AppKey, Self::WebhookSecret];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppKey => "github-app-key",
            Self::WebhookSecret => "github-webhook-secret",
        }
    }

    /// What it is called where it would have been.
    pub(super) fn known_as(self) -> String {
        match self {
            Self::AppKey => APP_KEY.to_owned(),
            Self::WebhookSecret => WEBHOOK_SECRET.to_owned(),
        }
    }

    fn check(self, text: &str) -> Result<&str, CommandError> {
        let wrong =
            |why: String| CommandError::invalid("key_unusable", why, "Copy it again, whole and by itself.");
        let text = text.trim();
        match self {
            Self::AppKey if text.len() > LONGEST_APP_KEY => {
                Err(wrong(format!("no App's key is longer than {LONGEST_APP_KEY} characters")))
            }
            Self::AppKey => check_app_key(text).map(|()| text).map_err(wrong),
            Self::WebhookSecret if text.len() < SHORTEST_WEBHOOK_SECRET => {
                Err(wrong(format!("a webhook's secret has {SHORTEST_WEBHOOK_SECRET} characters or more")))
            }
            Self::WebhookSecret => check(text),
        }
    }
}

impl fmt::Display for GitHubSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// It is the name of none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchSecret;

impl FromStr for GitHubSecret {
    type Err = NoSuchSecret;

    fn from_str(text: &str) -> Result<Self, NoSuchSecret> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(NoSuchSecret)
    }
}

impl Keys {
    /// With what is stored, where the configuration names nothing.
    pub(crate) fn complete(&self, mut config: Config) -> Config {
        let stored = |name| {
            let github = self.github.read().unwrap_or_else(PoisonError::into_inner);
            github.get(&name).and_then(|stored: &Stored| stored.secret.clone().ok())
        };
        if let Some(app) = &config.github_stored.app {
            match (&app.access, stored(GitHubSecret::AppKey)) {
                (Access::App { id, .. }, Some(key)) => {
                    let access = Access::App { id: *id, key: key.expose().to_owned() };
                    config.github = Some(GitHubConfig { access, ..app.clone() });
                }
                (Access::App { .. } | Access::Token(_), _) => tracing::warn!("{}; {}", NO_KEY.0, NO_KEY.1),
            }
        }
        if let (Some(forge), Some(secret)) =
            (&config.github_stored.forge, stored(GitHubSecret::WebhookSecret))
        {
            config.forge = Some(ForgeConfig { webhook_secret: Some(secret), ..forge.clone() });
        }
        config
    }

    async fn set_github(&self, store: &Store, name: GitHubSecret, text: &str) -> Result<(), CommandError> {
        let text = name.check(text)?;
        // Before anything else can happen to it.
        self.redaction.learn([KnownSecret { name: name.known_as(), value: text.to_owned() }]);
        let _alone = self.changing.lock().await;
        let sealing = self.sealing_key(name.as_str()).await?;
        let (secret, set_at) = (Secret::new(text), clock::now());
        let sealed = sealing.seal(name.as_str(), &secret, set_at).map_err(anyhow::Error::new)?;
        store.set_secret(sealed).await?;
        let stored = Stored { set_at, secret: Ok(secret) };
        self.github.write().unwrap_or_else(PoisonError::into_inner).insert(name, stored);
        Ok(())
    }

    async fn remove_github(&self, store: &Store, name: GitHubSecret) -> Result<bool, CommandError> {
        let _alone = self.changing.lock().await;
        let was_there = store.remove_secret(name.as_str()).await?;
        self.github.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
        Ok(was_there)
    }
}

/// What is so where there is an App, but no key of it; and what to do.
const NO_KEY: (&str, &str) = (
    "there is a GitHub App (github.app_id), but no private key of it",
    "lamplight keys set github-app-key, or github.private_key_file; then start the server again",
);

/// Where an App's key is missing; the first finding of whoever looks at GitHub then.
pub(crate) fn without_key(config: &Config) -> Option<GitHubFinding> {
    let (detail, remedy) = NO_KEY;
    let is_missing = config.github.is_none() && config.github_stored.app.is_some();
    is_missing.then(|| GitHubFinding {
        is_well: false,
        detail: detail.to_owned(),
        remedy: Some(remedy.to_owned()),
    })
}

impl Engine {
    /// All that may be stored.
    pub fn github_secrets(&self) -> Vec<GitHubSecretInfo> {
        GitHubSecret::ALL.into_iter().map(|name| self.github_secret(name)).collect()
    }

    pub fn github_secret(&self, name: GitHubSecret) -> GitHubSecretInfo {
        let configured = &self.shared.config.github_stored;
        let github = self.shared.keys.github.read().unwrap_or_else(PoisonError::into_inner);
        let stored = github.get(&name);
        GitHubSecretInfo {
            name,
            set_at: stored.map(|stored| stored.set_at),
            is_configured: match name {
                GitHubSecret::AppKey => configured.has_app_key,
                GitHubSecret::WebhookSecret => configured.has_webhook_secret,
            },
            problem: stored.and_then(|stored| stored.secret.as_ref().err().cloned()),
        }
    }

    /// Stores it in place of the one that there was; it counts from the next start.
    pub async fn set_github_secret(
        &self,
        name: GitHubSecret,
        text: &str,
    ) -> Result<GitHubSecretInfo, CommandError> {
        let (shared, text) = (self.shared.clone(), text.to_owned());
        // To its end, though whoever asked may leave.
        let set = async move { shared.keys.set_github(&shared.store, name, &text).await };
        self.shared.tasks.spawn(set).await.context("store a secret of GitHub's")??;
        Ok(self.github_secret(name))
    }

    /// Whether there was a stored one.
    pub async fn remove_github_secret(&self, name: GitHubSecret) -> Result<bool, CommandError> {
        let shared = self.shared.clone();
        let remove = async move { shared.keys.remove_github(&shared.store, name).await };
        self.shared.tasks.spawn(remove).await.context("remove a secret of GitHub's")?
    }
}
