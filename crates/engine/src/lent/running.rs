//! Whether a sandbox goes on, for all that is under way in it.

use super::lock;
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// From one start to the next stop.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<CancellationToken>);

impl Running {
    /// Cancelled when it stops; another one after that is of the next time.
    pub(super) fn token(&self) -> CancellationToken {
        lock(&self.0).clone()
    }

    pub(super) async fn stopped(&self) {
        self.token().cancelled().await;
    }

    /// It stops: whoever waits for anything in it hears it now.
    pub(super) fn stop(&self) {
        lock(&self.0).cancel();
    }

    /// It goes on.
    pub(super) fn begin(&self) {
        *lock(&self.0) = CancellationToken::new();
    }
}
