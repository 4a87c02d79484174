//! How much of something one session may have at a time, so that a sandbox that asks for much delays only itself.

use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for its part.
const SLOT_WAIT: Duration = Duration::from_secs(60);

/// The sessions that have some of it now.
pub(crate) struct Slots {
    of_each: u32,
    taken: Mutex<HashMap<SessionId, Weak<Semaphore>>>,
}

impl Slots {
    /// `of_each` is what one session may have.
    pub(crate) fn new(of_each: u32) -> Self {
        Self { of_each, taken: Mutex::default() }
    }

    /// So much of it, until it is dropped; `None` if that did not come free in time. More than there is counts as all.
    pub(crate) async fn take(&self, session: &SessionId, much: u32) -> Option<OwnedSemaphorePermit> {
        let taking = self.of(session).acquire_many_owned(much.min(self.of_each));
        tokio::time::timeout(SLOT_WAIT, taking).await.ok()?.ok()
    }

    fn of(&self, session: &SessionId) -> Arc<Semaphore> {
        let mut sessions = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, slots| slots.strong_count() > 0);
        let present = sessions.get(session).and_then(Weak::upgrade);
        present.unwrap_or_else(|| {
            let slots = Arc::new(Semaphore::new(self.of_each as usize));
            sessions.insert(session.clone(), Arc::downgrade(&slots));
            slots
        })
    }
}
