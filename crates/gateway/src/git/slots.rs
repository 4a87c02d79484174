//! How many git processes run for one session at a time, so that a sandbox that asks for many delays only itself.

use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Git processes of one session.
const MAX_PROCESSES: usize = 4;
/// How long a request waits for one of them.
const SLOT_WAIT: Duration = Duration::from_secs(60);

/// The sessions that have git processes now.
#[derive(Default)]
pub(crate) struct Slots(Mutex<HashMap<SessionId, Weak<Semaphore>>>);

impl Slots {
    /// Leave to run one process, until it is dropped; `None` if none came free in time.
    pub(super) async fn take(&self, session: &SessionId) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(SLOT_WAIT, self.of(session).acquire_owned()).await.ok()?.ok()
    }

    fn of(&self, session: &SessionId) -> Arc<Semaphore> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, slots| slots.strong_count() > 0);
        let present = sessions.get(session).and_then(Weak::upgrade);
        present.unwrap_or_else(|| {
            let slots = Arc::new(Semaphore::new(MAX_PROCESSES));
            sessions.insert(session.clone(), Arc::downgrade(&slots));
            slots
        })
    }
}
