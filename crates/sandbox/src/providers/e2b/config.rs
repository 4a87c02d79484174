//! What the provider is told by whoever starts it.

use super::stream::EXTEND;
use crate::error::{ErrorKind, SandboxError};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Where the cloud is, and what its sandboxes are made from.
#[derive(Clone)]
pub struct E2bConfig {
    /// For what the provider writes down: which sandbox and which snapshots are a session's.
    pub data_dir: PathBuf,
    /// Never leaves this process but as a header to [`E2bConfig::api_url`].
    pub key: Key,
    /// Of the cloud: its API is at `api.` under it, and ports of sandboxes are at `{port}-{id}.`.
    pub domain: String,
    /// Where the API is, if not under the domain.
    pub api_url: Option<String>,
    /// One address for all sandboxes, told apart by headers, where they have no names of their own.
    pub sandbox_url: Option<String>,
    /// What files begin with where a session has none yet.
    pub template: String,
    /// Whose sandboxes they are in the cloud: no two servers with one key may have the same. Letters, digits and `-`.
    pub deployment: String,
    /// Who everything but the guest runs as inside; made where the template has nobody of this name. Letters, digits, `-` and `_`.
    pub user: String,
    /// After so long without anybody who works in it the cloud pauses a sandbox.
    pub timeout: Duration,
    /// Whether programs inside reach the internet by the cloud's own way, which no rule of this installation judges.
    pub internet: bool,
    /// Whether the cloud keeps files as snapshots.
    pub snapshots: bool,
    /// Where the gateway is reached inside.
    pub gateway: SocketAddr,
}

impl E2bConfig {
    /// Of the public cloud.
    pub fn new(data_dir: PathBuf, key: Key, deployment: String) -> Self {
        Self {
            data_dir,
            key,
            domain: "e2b.app".to_owned(),
            api_url: None,
            sandbox_url: None,
            template: "base".to_owned(),
            deployment,
            user: "lamplight".to_owned(),
            timeout: Duration::from_secs(900),
            internet: false,
            snapshots: true,
            gateway: SocketAddr::from((Ipv4Addr::LOCALHOST, 7411)),
        }
    }
}

/// What opens the cloud. It may be changed while sandboxes are made: whatever is asked from then on is asked with it.
#[derive(Clone, Default)]
pub struct Key(Arc<RwLock<String>>);

impl Key {
    /// An empty one is none.
    pub fn new(key: &str) -> Self {
        Self(Arc::new(RwLock::new(key.to_owned())))
    }

    pub fn set(&self, key: &str) {
        key.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// As it is now.
    pub fn get(&self) -> Option<String> {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(key.clone()).filter(|key| !key.is_empty())
    }
}

/// Says nothing of it.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Without the key.
impl fmt::Debug for E2bConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("E2bConfig")
            .field("domain", &self.domain)
            .field("api_url", &self.api_url)
            .field("sandbox_url", &self.sandbox_url)
            .field("template", &self.template)
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}

/// For files that do not outlive a sandbox, the user's alone.
pub(super) const RUNTIME: &str = "/var/lib/lamplight/user";

/// What every process of every sandbox starts with.
pub(super) fn environment(user: &str) -> BTreeMap<String, String> {
    let all = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("USER", user),
        ("LOGNAME", user),
        ("SHELL", "/bin/bash"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
        // The cloud names that of its own user.
        ("XDG_RUNTIME_DIR", RUNTIME),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What can be known to be wrong before the cloud is asked.
pub(super) fn check(config: &E2bConfig) -> Result<(), SandboxError> {
    let wrong = |why: &str| Err(SandboxError::new(ErrorKind::Unsupported, format!("[e2b_provider]: {why}")));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if config.deployment.is_empty() || !config.deployment.bytes().all(plain) {
        return wrong("deployment has letters, digits and - alone");
    }
    if !config.user.bytes().all(|byte| plain(byte) || byte == b'_')
        || matches!(config.user.as_str(), "" | "root")
    {
        return wrong("user has letters, digits, - and _ alone, and is not root");
    }
    if config.timeout < EXTEND * 2 {
        return wrong("timeout_seconds is less than two minutes, in which nobody could extend it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_and_the_key_is_not() {
        let good = E2bConfig::new("/nowhere".into(), Key::new("e2b_secret"), "a-1".into());
        assert!(check(&good).is_ok());
        for bad in [
            E2bConfig { deployment: "a b".into(), ..good.clone() },
            E2bConfig { user: "root".into(), ..good.clone() },
            E2bConfig { user: "a:b".into(), ..good.clone() },
            E2bConfig { timeout: EXTEND, ..good.clone() },
        ] {
            assert_eq!(check(&bad).unwrap_err().kind, ErrorKind::Unsupported, "{bad:?}");
        }
        assert!(!format!("{good:?} {:?}", good.key).contains("e2b_secret"));
    }

    #[test]
    fn a_key_is_changed_for_all_who_have_it_and_an_empty_one_is_none() {
        let key = Key::default();
        let same = key.clone();
        assert_eq!(same.get(), None);
        key.set("e2b_another");
        assert_eq!(same.get().as_deref(), Some("e2b_another"));
        key.set("");
        assert_eq!(same.get(), None);
    }
}
