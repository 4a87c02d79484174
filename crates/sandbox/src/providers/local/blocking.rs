//! Work with files, away from the event loop.

use super::Local;
use super::disk::Sandboxes;
use super::snapshot;
use crate::error::SandboxError;

impl Local {
    /// `what` begins the message of its failure.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        what: String,
        work: impl FnOnce(&Sandboxes) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let sandboxes = self.sandboxes.clone();
        let done = tokio::task::spawn_blocking(move || work(&sandboxes)).await;
        done.unwrap_or_else(|panic| Err(panic.into())).map_err(|error| {
            let kind = snapshot::kind(&error);
            SandboxError::new(kind, format!("{what}: {error:#}"))
        })
    }
}
