//! The keys of models, and of the cloud that sandboxes are made in: what is stored, sealed, and what the environment holds; what follows
//! from them at every moment. Beside them, what of a GitHub App is secret.
//!
//! A stored key comes before one of the environment: it was given to Lamplight. One that cannot be opened is not passed over for
//! the other, because somebody else might pay then.

mod check;
mod face;
mod github;
mod listing;
mod name;
mod own;
mod seal;
mod sealing;

pub use check::LONGEST_KEY_BYTES;
use check::check;
pub(crate) use github::without_key;
pub use github::{GitHubSecret, GitHubSecretInfo, GitHubStored, NoSuchSecret};
pub use listing::UpstreamModels;
pub use name::KeyName;
pub use sealing::SealingSource;

use crate::error::{CommandError, StartError};
use crate::{CloudConfig, EndpointConfig, ModelsConfig, clock};
use lamplight_domain::{KnownSecret, Redaction, Timestamp};
use lamplight_gateway::{Gateway, Secret, Upstream, UpstreamName, Upstreams};
use lamplight_store::{SealedSecret, Store};
use seal::SealingKey;
use sealing::NoSealingKey;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};
use tokio::sync::Mutex;

/// One key and what it opens, without anything of the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    pub name: KeyName,
    pub source: KeySource,
    /// Where it is asked.
    pub base: String,
    /// Why what is stored cannot be used, and what to do.
    pub problem: Option<String>,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Stored by `lamplight keys set`. `variable` holds another one, which is not used.
    Stored {
        set_at: Timestamp,
        variable: Option<String>,
    },
    Environment {
        variable: String,
    },
    /// There is an address that is asked without one. `variable` holds the vendor's, which is not sent there.
    NotNeeded {
        variable: Option<String>,
    },
    Missing,
}

pub(crate) struct Keys {
    config: ModelsConfig,
    cloud: Option<CloudConfig>,
    source: SealingSource,
    redaction: Redaction,
    stored: RwLock<BTreeMap<KeyName, Stored>>,
    github: RwLock<BTreeMap<GitHubSecret, Stored>>,
    /// Held while something is changed.
    changing: Mutex<()>,
    lists: listing::Lists,
}

struct Stored {
    set_at: Timestamp,
    secret: Result<Secret, String>,
}

impl Keys {
    /// Opens what is stored. What cannot be opened is told and left where it is.
    pub(crate) async fn load(
        config: ModelsConfig,
        cloud: Option<CloudConfig>,
        source: SealingSource,
        redaction: Redaction,
        store: &Store,
    ) -> Result<Self, StartError> {
        let keys = Self {
            config,
            cloud,
            source,
            redaction,
            stored: RwLock::default(),
            github: RwLock::default(),
            changing: Mutex::default(),
            lists: listing::Lists::default(),
        };
        keys.open(&store.secrets().await?).await;
        keys.learn();
        keys.tell_cloud();
        for (key, problem) in keys.problems() {
            tracing::warn!(key, "a stored key cannot be used: {problem}");
        }
        Ok(keys)
    }

    /// Takes account of what another server has stored or removed.
    pub(crate) async fn read_again(&self, store: &Store, gateway: &Gateway) -> Result<(), CommandError> {
        let _alone = self.changing.lock().await;
        let sealed = store.secrets().await?;
        let is_key = |name: &str| name.parse::<KeyName>().is_ok() || name.parse::<GitHubSecret>().is_ok();
        let there = sealed.iter().filter(|sealed| is_key(&sealed.name));
        if there.map(|sealed| (sealed.name.clone(), sealed.set_at)).collect::<BTreeMap<_, _>>()
            == self.known()
        {
            return Ok(());
        }
        self.open(&sealed).await;
        self.learn();
        self.changed(gateway)
    }

    /// What is stored is this.
    async fn open(&self, sealed: &[SealedSecret]) {
        let (keys, github) = (named::<KeyName>(sealed), named::<GitHubSecret>(sealed));
        let (mut opened, mut of_github) = (BTreeMap::new(), BTreeMap::new());
        if !keys.is_empty() || !github.is_empty() {
            let sealing = self.source.read().await.inspect(|key| self.learn_sealing(key));
            let open = |sealed: &SealedSecret| {
                let secret = match &sealing {
                    Ok(key) => key.open(sealed).ok_or_else(|| SEALED_WITH_ANOTHER.to_owned()),
                    Err(error) => Err(error.to_string()),
                };
                Stored { set_at: sealed.set_at, secret }
            };
            opened.extend(keys.into_iter().map(|(name, sealed)| (name, open(sealed))));
            of_github.extend(github.into_iter().map(|(name, sealed)| (name, open(sealed))));
        }
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = opened;
        *self.github.write().unwrap_or_else(PoisonError::into_inner) = of_github;
    }

    /// Names of all that are stored, and since when they are.
    fn known(&self) -> BTreeMap<String, Timestamp> {
        let keys = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let github = self.github.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.iter().map(|(name, stored)| (name.to_string(), stored.set_at));
        keys.chain(github.iter().map(|(name, stored)| (name.to_string(), stored.set_at))).collect()
    }

    /// Those that are stored and cannot be used, and why.
    fn problems(&self) -> Vec<(String, String)> {
        let keys = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let github = self.github.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.iter().map(|(name, stored)| (name.to_string(), stored));
        let all = keys.chain(github.iter().map(|(name, stored)| (name.to_string(), stored)));
        all.filter_map(|(name, stored)| Some((name, stored.secret.as_ref().err()?.clone()))).collect()
    }

    /// What can be asked now.
    pub(crate) fn upstreams(&self) -> Upstreams {
        let of = |name: UpstreamName| self.upstream(&name);
        let compatible = self.config.compatible.keys().cloned();
        Upstreams {
            openai: of(UpstreamName::OpenAi),
            anthropic: of(UpstreamName::Anthropic),
            gemini: of(UpstreamName::Gemini),
            compatible: compatible
                .filter_map(|name| Some((name.clone(), of(UpstreamName::Compatible(name))?)))
                .collect(),
            prices: self.config.prices.clone(),
        }
    }

    fn upstream(&self, name: &UpstreamName) -> Option<Upstream> {
        let configured = self.config.of(name)?;
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let key = match stored.get(&KeyName::Models(name.clone())) {
            Some(Stored { secret: Ok(secret), .. }) => Some(secret.clone()),
            Some(Stored { secret: Err(_), .. }) => return None,
            None => configured.key.clone(),
        };
        let base = configured.base.clone();
        let (base, key) = match key {
            Some(key) => (base.or_else(|| name.base().map(str::to_owned))?, key),
            // A model of one's own often needs none.
            None => (base?, Secret::new("")),
        };
        Some(Upstream { base, key, tariff: configured.tariff })
    }

    /// The cloud is asked with the key that there is now.
    fn tell_cloud(&self) {
        let Some(cloud) = &self.cloud else { return };
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let key = match stored.get(&KeyName::Cloud) {
            Some(Stored { secret, .. }) => secret.as_ref().ok(),
            None => cloud.key.as_ref(),
        };
        cloud.current.set(key.map(Secret::expose).unwrap_or_default());
    }

    fn base(&self, name: &KeyName) -> String {
        match (name, &self.cloud) {
            (KeyName::Models(name), _) => {
                let configured = self.config.of(name).and_then(|configured| configured.base.clone());
                let base = configured.or_else(|| name.base().map(str::to_owned));
                base.unwrap_or_else(|| format!("the configuration has no [{}]", name.section()))
            }
            (KeyName::Cloud, Some(cloud)) => cloud.api(),
            (KeyName::Cloud, None) => "no cloud makes sandboxes (sandbox.provider)".to_owned(),
        }
    }

    /// What is said of it beside what is stored.
    fn configured(&self, name: &KeyName) -> EndpointConfig {
        match (name, &self.cloud) {
            (KeyName::Models(name), _) => self.config.of(name).cloned().unwrap_or_default(),
            (KeyName::Cloud, Some(cloud)) => EndpointConfig {
                key: cloud.key.clone(),
                variable: cloud.variable.clone(),
                ..EndpointConfig::default()
            },
            (KeyName::Cloud, None) => EndpointConfig::default(),
        }
    }

    /// All that may be stored here, or is.
    pub(crate) fn names(&self) -> BTreeSet<KeyName> {
        let compatible = self.config.compatible.keys().cloned().map(UpstreamName::Compatible);
        let upstreams = UpstreamName::VENDORS.into_iter().chain(compatible).map(KeyName::Models);
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        upstreams.chain([KeyName::Cloud]).chain(stored.keys().cloned()).collect()
    }

    /// The cloud's where sandboxes are made there, or somebody has stored one.
    pub(crate) fn list(&self) -> Vec<KeyInfo> {
        let all = self.names().into_iter().map(|name| self.info(name));
        let is_missed = |info: &KeyInfo| info.source == KeySource::Missing;
        all.filter(|info| info.name.models().is_some() || self.cloud.is_some() || !is_missed(info)).collect()
    }

    pub(crate) fn info(&self, name: KeyName) -> KeyInfo {
        let configured = self.configured(&name);
        let variable = configured.key.as_ref().and(configured.variable.clone());
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let (source, problem) = match (stored.get(&name), variable, &configured.base) {
            (Some(Stored { set_at, secret }), variable, _) => {
                let problem = secret.as_ref().err().cloned().or_else(|| self.unused(&name));
                (KeySource::Stored { set_at: *set_at, variable }, problem)
            }
            (None, Some(variable), _) => (KeySource::Environment { variable }, None),
            (None, None, Some(_)) => {
                let variable = configured.kept_back.as_ref().map(|(variable, _)| variable.clone());
                (KeySource::NotNeeded { variable }, None)
            }
            (None, None, None) => (KeySource::Missing, None),
        };
        let base = self.base(&name);
        KeyInfo { name, source, base, problem }
    }

    /// Why nobody is asked with what is stored under this name, though it can be opened.
    fn unused(&self, name: &KeyName) -> Option<String> {
        let upstream = name.models().filter(|upstream| self.config.of(upstream).is_none())?;
        Some(format!(
            "it opens nothing: write [{}] into the configuration, or `lamplight keys remove {name}`",
            upstream.section()
        ))
    }

    /// Stores a key, and uses it from now on.
    pub(crate) async fn set(
        &self,
        store: &Store,
        gateway: &Gateway,
        name: KeyName,
        key: &str,
    ) -> Result<KeyInfo, CommandError> {
        let key = check(key)?;
        // Before anything else can happen to it.
        self.redaction.learn([KnownSecret { name: known_as(&name), value: key.to_owned() }]);
        let _alone = self.changing.lock().await;
        let sealing = self.sealing_key(name.as_str()).await?;
        let (secret, set_at) = (Secret::new(key), clock::now());
        let sealed = sealing.seal(name.as_str(), &secret, set_at).map_err(anyhow::Error::new)?;
        store.set_secret(sealed).await?;
        let stored = Stored { set_at, secret: Ok(secret) };
        self.stored.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), stored);
        self.changed(gateway)?;
        Ok(self.info(name))
    }

    /// Whether there was a stored one. What the environment holds is used again.
    pub(crate) async fn remove(
        &self,
        store: &Store,
        gateway: &Gateway,
        name: KeyName,
    ) -> Result<bool, CommandError> {
        let _alone = self.changing.lock().await;
        let was_there = store.remove_secret(name.as_str()).await?;
        self.stored.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
        self.changed(gateway)?;
        Ok(was_there)
    }

    fn changed(&self, gateway: &Gateway) -> Result<(), CommandError> {
        gateway.set_upstreams(self.upstreams())?;
        self.tell_cloud();
        self.lists.forget();
        Ok(())
    }

    /// A file that is gone is made anew only when nothing but this key is sealed with the one that was in it.
    async fn sealing_key(&self, name: &str) -> Result<SealingKey, CommandError> {
        let read = self.read_sealing(Some(name)).await;
        let refused = |error: NoSealingKey| {
            CommandError::invalid("secrets_key", error.to_string(), "See docs/configuration.md, [secrets].")
        };
        let key = read.map_err(refused)?;
        self.learn_sealing(&key);
        Ok(key)
    }

    /// What tokens are made with: it is there as soon as it is wanted, unless it was there before and is gone.
    pub(crate) async fn token_key(&self) -> Result<Secret, String> {
        let _alone = self.changing.lock().await;
        let key = self.read_sealing(None).await.map_err(|error| error.to_string())?;
        self.learn_sealing(&key);
        Ok(key.text)
    }

    /// Makes it where nothing is sealed with it, but perhaps this.
    async fn read_sealing(&self, but: Option<&str>) -> Result<SealingKey, NoSealingKey> {
        let others = self.known().into_keys().any(|stored| Some(stored.as_str()) != but);
        if others { self.source.read().await } else { self.source.read_or_make().await }
    }

    fn learn_sealing(&self, key: &SealingKey) {
        let value = key.text.expose().to_owned();
        self.redaction.learn([KnownSecret { name: "sealing key".to_owned(), value }]);
    }

    /// Also of what is not used: whoever set the variable does not want to see it anywhere.
    fn learn(&self) {
        let names = self.names();
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let of = |name: KeyName| {
            let configured = self.configured(&name);
            let kept_back = configured.kept_back.clone().map(|(_, key)| key);
            let environment = configured.key.clone().into_iter().chain(kept_back);
            let stored = stored.get(&name).and_then(|stored| stored.secret.clone().ok());
            environment.chain(stored).map(move |secret: Secret| (known_as(&name), secret))
        };
        let keys = names.into_iter().flat_map(of);
        let github = self.github.read().unwrap_or_else(PoisonError::into_inner);
        let github =
            github.iter().filter_map(|(name, stored)| Some((name.known_as(), stored.secret.clone().ok()?)));
        let all = keys.chain(github);
        self.redaction
            .learn(all.map(|(name, secret)| KnownSecret { name, value: secret.expose().to_owned() }));
    }
}

const SEALED_WITH_ANOTHER: &str = "it was sealed with another key than the one that is there now: bring that one back, \
    or set this key again (`lamplight keys set`)";

fn known_as(name: &KeyName) -> String {
    format!("{name} key")
}

/// Those whose names are such.
fn named<N: FromStr>(all: &[SealedSecret]) -> Vec<(N, &SealedSecret)> {
    all.iter().filter_map(|sealed| Some((sealed.name.parse().ok()?, sealed))).collect()
}

#[cfg(test)]
mod tests;
