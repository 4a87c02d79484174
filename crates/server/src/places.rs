//! How much is open at once: what people have open of a session goes through its link, which the session itself needs too.

use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long one more waits for a place.
const WAIT: Duration = Duration::from_secs(10);

/// So many places in each session.
pub(crate) struct Places {
    per_session: usize,
    taken: Mutex<HashMap<SessionId, Arc<Semaphore>>>,
}

impl Places {
    pub(crate) fn new(per_session: usize) -> Self {
        Self { per_session, taken: Mutex::default() }
    }

    /// A place until it is dropped; `None` when none came free.
    pub(crate) async fn take(&self, session: &SessionId) -> Option<OwnedSemaphorePermit> {
        let of_session = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            // Where nothing is open, nobody else holds it.
            taken.retain(|_, places| Arc::strong_count(places) > 1);
            let places = taken.entry(session.clone());
            places.or_insert_with(|| Arc::new(Semaphore::new(self.per_session))).clone()
        };
        tokio::time::timeout(WAIT, of_session.acquire_owned()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody gets up in this time.
    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn places_are_counted_by_session_and_come_free() {
        let places = Places::new(2);
        let (one, other) =
            ("01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap(), "01JD5ZK8W3Q4R6T7V8X9Y0Z1A3".parse().unwrap());
        let first = places.take(&one).await.unwrap();
        let _second = places.take(&one).await.unwrap();
        assert!(tokio::time::timeout(SOON, places.take(&one)).await.is_err());
        assert!(places.take(&other).await.is_some());
        drop(first);
        assert!(places.take(&one).await.is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 1, "what nobody holds is forgotten");
    }
}
