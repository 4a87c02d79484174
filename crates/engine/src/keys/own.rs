//! What is no key of models, and is sealed with the same key: what may be done elsewhere in people's names.

use super::{Keys, SEALED_WITH_ANOTHER};
use crate::clock;
use lamplight_gateway::Secret;
use lamplight_store::SealedSecret;

impl Keys {
    /// To be stored under this name. Otherwise says why not, and what to do.
    pub(crate) async fn seal(&self, name: &str, secret: &str) -> Result<SealedSecret, String> {
        let _alone = self.changing.lock().await;
        let key = self.read_sealing(None).await.map_err(|error| error.to_string())?;
        self.learn_sealing(&key);
        key.seal(name, &Secret::new(secret), clock::now()).map_err(|error| error.to_string())
    }

    /// Likewise.
    pub(crate) async fn unseal(&self, sealed: &SealedSecret) -> Result<Secret, String> {
        let key = self.source.read().await.map_err(|error| error.to_string())?;
        self.learn_sealing(&key);
        key.open(sealed).ok_or_else(|| SEALED_WITH_ANOTHER.to_owned())
    }
}
