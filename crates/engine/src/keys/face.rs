//! What people do with keys.

use super::{KeyInfo, KeyName, UpstreamModels};
use crate::{CommandError, Engine, ExaminedCloud, Unlisted, UpstreamName};
use anyhow::Context as _;
use lamplight_domain::Redaction;
use lamplight_domain::SessionId;
use lamplight_sandbox::provider::Searched;
use std::collections::BTreeSet;
use std::time::Duration;

/// For everything of one session; shorter than any request may take.
const SEARCH: Duration = Duration::from_secs(45);

impl Engine {
    /// Every key that is of use here, and where it comes from.
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.shared.keys.list()
    }

    /// What they are called, those that are of no use included.
    pub fn key_names(&self) -> BTreeSet<KeyName> {
        self.shared.keys.names()
    }

    /// Stores a key in place of the one that there was; requests that begin from now on carry it.
    pub async fn set_key(&self, name: KeyName, key: &str) -> Result<KeyInfo, CommandError> {
        let (shared, key) = (self.shared.clone(), key.to_owned());
        // To its end, though whoever asked may leave: what is stored and what is used are the same.
        let set = async move { shared.keys.set(&shared.store, &shared.gateway, name, &key).await };
        self.shared.tasks.spawn(set).await.context("store a key")?
    }

    /// Whether there was a stored one.
    pub async fn remove_key(&self, name: KeyName) -> Result<bool, CommandError> {
        let shared = self.shared.clone();
        let remove = async move { shared.keys.remove(&shared.store, &shared.gateway, name).await };
        self.shared.tasks.spawn(remove).await.context("remove a key")?
    }

    /// Asks the upstream for its models, whatever was said before, and counts them. Takes 10 s at most.
    pub async fn test_key(&self, name: &UpstreamName) -> Result<usize, Unlisted> {
        Ok(self.shared.gateway.models(name).await?.len())
    }

    /// Asks the cloud that makes sandboxes for those of this installation; `None` where there is no such cloud. Takes 20 s at most.
    pub async fn test_cloud(&self) -> Option<ExaminedCloud> {
        crate::provider::examine_cloud(&self.shared.config).await
    }

    /// All secrets that are known here, so that none is written anywhere.
    pub fn redaction(&self) -> &Redaction {
        &self.shared.config.redaction
    }

    /// Looks for every secret that is known here in all that there is of a session. Gives how many were looked for.
    pub async fn search_secrets(&self, id: &SessionId) -> Result<(usize, Searched), CommandError> {
        self.view(id).await?;
        let redactor = self.redaction().now();
        let secrets = redactor.len();
        let searched = self
            .shared
            .provider
            .search(id, redactor, SEARCH)
            .await
            .context("search a session for secrets")?;
        Ok((secrets, searched))
    }

    /// The models of every upstream that can be asked, as of the last ten minutes.
    pub async fn models(&self) -> Vec<UpstreamModels> {
        self.shared.keys.models(&self.shared.gateway).await
    }
}
