//! How much is open at once: a session's previews share its link with the session itself, and must leave it room.

use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections to programs of one session.
const PER_SESSION: usize = 48;
/// How long one more waits for a place.
const WAIT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<SessionId, Arc<Semaphore>>>);

impl Places {
    /// A place until it is dropped; `None` when none came free.
    pub(super) async fn take(&self, session: &SessionId) -> Option<OwnedSemaphorePermit> {
        let of_session = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Where nothing is open, nobody else holds it.
            all.retain(|_, places| Arc::strong_count(places) > 1);
            all.entry(session.clone()).or_insert_with(|| Arc::new(Semaphore::new(PER_SESSION))).clone()
        };
        tokio::time::timeout(WAIT, of_session.acquire_owned()).await.ok()?.ok()
    }
}
