//! The repositories that sessions worked on.

use crate::{CommandError, Engine, RepositoryConfig};
use lamplight_domain::Timestamp;
use std::path::Path;

impl Engine {
    /// Those worked on last, newest first.
    pub async fn repositories(&self, limit: usize) -> Result<Vec<(String, Timestamp)>, CommandError> {
        let recent = self.shared.store.repositories(limit).await?;
        Ok(recent.into_iter().map(|repository| (repository.path, repository.last_used_at)).collect())
    }

    /// What the configuration says of one, by its absolute path.
    pub fn repository_config(&self, path: &str) -> Option<RepositoryConfig> {
        self.shared.config.of(Path::new(path)).cloned()
    }
}
