//! `[e2b_provider]`: the cloud that sandboxes are made in where `sandbox.provider` is `e2b`.

use super::{ConfigError, Environment, Launcher, NetworkPolicy, Provider, Repository, Sandbox, Secret};
use axum::http::Uri;
use lamplight_domain::ImageChoice;
use lamplight_engine::{CloudConfig, CloudKey, DiskLimit};
use serde::{Deserialize, Serialize};

/// `[e2b_provider]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct E2bProvider {
    /// The cloud's: its API is at `api.` under it, and each port of each sandbox has a host there.
    pub domain: String,
    /// Where the API is, if not under the domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// One address for all sandboxes, told apart by headers, where they have no names of their own: another Lamplight's, without a domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_url: Option<String>,
    /// The variable that holds the key. Default: `E2B_API_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// What sandboxes begin with; agents have to be in it.
    pub template: String,
    /// Who everything runs as inside; made where the template has nobody of this name.
    pub user: String,
    /// What sandboxes of this installation are known by in the cloud; default: a name that is made once and kept in the data directory. On
    /// PostgreSQL that name stands behind this one, so that servers with one configuration do not end each other's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// After so long without anybody who works in it the cloud pauses a sandbox.
    pub timeout_seconds: u64,
    /// Whether sandboxes of sessions that may reach every public host have the cloud's own internet, which nothing here judges.
    pub internet: bool,
    /// Whether the cloud keeps files of sandboxes as snapshots.
    pub snapshots: bool,
    #[serde(skip)]
    key: Option<Secret>,
    /// The variable that it is from.
    #[serde(skip)]
    variable: Option<String>,
}

/// Where the key is looked for.
const KEY: &str = "E2B_API_KEY";

/// In less nobody could extend it.
const LEAST_TIMEOUT: u64 = 120;

impl Default for E2bProvider {
    fn default() -> Self {
        Self {
            domain: "e2b.app".to_owned(),
            api_url: None,
            sandbox_url: None,
            key_env: None,
            template: "base".to_owned(),
            user: "lamplight".to_owned(),
            deployment: None,
            timeout_seconds: 900,
            internet: false,
            snapshots: true,
            key: None,
            variable: None,
        }
    }
}

impl E2bProvider {
    pub(super) fn take_secrets(&mut self, environment: &Environment) {
        let name = self.key_env.as_deref().unwrap_or(KEY);
        let value = environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        self.variable = value.map(|_| name.to_owned());
        self.key = value.map(Secret::new);
    }

    /// Before secrets are taken.
    pub(super) fn check(&self, sandbox: &Sandbox, repositories: &[Repository]) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        if sandbox.provider != Provider::E2b {
            return match *self == Self::default() {
                true => Ok(()),
                false => invalid("e2b_provider is only used with sandbox.provider = \"e2b\"".to_owned()),
            };
        }
        for (name, url) in [("api_url", &self.api_url), ("sandbox_url", &self.sandbox_url)] {
            if let Some(url) = url.as_ref().filter(|url| !is_url(url)) {
                return invalid(format!("e2b_provider.{name} is {url:?}; say it like http://10.0.0.8:7410"));
            }
        }
        if self.timeout_seconds < LEAST_TIMEOUT {
            return invalid(format!("e2b_provider.timeout_seconds has to be {LEAST_TIMEOUT} at least"));
        }
        let is_plain_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_plain = |name: &String| !name.is_empty() && name.bytes().all(is_plain_byte);
        if self.deployment.as_ref().is_some_and(|name| !is_plain(name)) {
            return invalid("e2b_provider.deployment has letters, digits and - alone".to_owned());
        }
        if matches!(self.user.as_str(), "" | "root")
            || !self.user.bytes().all(|byte| byte == b'_' || is_plain_byte(byte))
        {
            return invalid(
                "e2b_provider.user has letters, digits, - and _ alone, and is not root".to_owned(),
            );
        }
        if sandbox.image != ImageChoice::Host {
            return invalid(
                "sandbox.image names an image of this machine; with sandbox.provider = \"e2b\" say e2b_provider.template"
                    .to_owned(),
            );
        }
        if !sandbox.limits.is_default() {
            return invalid(
                "sandbox.limits cannot be held to in a cloud, where templates say how large sandboxes are; with sandbox.provider = \"e2b\" leave it out, and say e2b_provider.template"
                    .to_owned(),
            );
        }
        let has_shape = |one: &&Repository| {
            matches!(one.sandbox.image, Some(ImageChoice::Named(_))) || !one.sandbox.limits.is_default()
        };
        if let Some(one) = repositories.iter().find(has_shape) {
            return invalid(format!(
                "repositories: {}: sandbox.image and sandbox.limits are of this machine; with sandbox.provider = \"e2b\" e2b_provider.template says both",
                one.path.display()
            ));
        }
        if sandbox.launcher != Launcher::Own {
            return invalid("sandbox.launcher is only used with sandbox.provider = \"local\"".to_owned());
        }
        if sandbox.disk_limit != DiskLimit::default() {
            return invalid("sandbox.disk_limit is only used with sandbox.provider = \"local\"".to_owned());
        }
        if self.internet && sandbox.network == NetworkPolicy::Allowlist {
            return invalid(
                "sandbox.network = \"allowlist\" cannot be held to in a cloud; set e2b_provider.internet = false, or another network"
                    .to_owned(),
            );
        }
        Ok(())
    }

    pub(super) fn engine(&self) -> CloudConfig {
        CloudConfig {
            key: self.key.as_ref().map(|key| lamplight_engine::Secret::new(key.reveal())),
            variable: self.variable.clone(),
            current: CloudKey::new(self.key.as_ref().map(Secret::reveal).unwrap_or_default()),
            domain: self.domain.clone(),
            api_url: self.api_url.clone(),
            sandbox_url: self.sandbox_url.clone(),
            template: self.template.clone(),
            user: self.user.clone(),
            deployment: self.deployment.clone(),
            timeout_seconds: self.timeout_seconds,
            internet: self.internet,
            snapshots: self.snapshots,
        }
    }
}

fn is_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    })
}
