//! Who follows a session right now: every open event stream of it is somebody's. Nothing of it is kept.

use super::audience::Audience;
use lamplight_domain::SessionId;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OnceCell, watch};

/// Names that are told; more people than this are only counted.
const NAMED: usize = 50;

/// Somebody who follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Present {
    pub(crate) name: String,
    /// Open streams: pages and commands.
    pub(crate) streams: usize,
}

/// By name; the first [`NAMED`].
pub(crate) type People = Arc<[Present]>;

/// All sessions that somebody follows.
#[derive(Clone, Default)]
pub(crate) struct Presence {
    rooms: Arc<Mutex<HashMap<SessionId, Room>>>,
}

struct Room {
    /// Streams by name; a room without any is gone.
    streams: BTreeMap<String, usize>,
    people: watch::Sender<People>,
    audience: Arc<OnceCell<Audience>>,
}

/// One stream's place among those who follow; given up when it is dropped.
pub(crate) struct Seat {
    presence: Presence,
    session: SessionId,
    name: String,
    people: watch::Receiver<People>,
    audience: Arc<OnceCell<Audience>>,
}

impl Presence {
    pub(crate) fn enter(&self, session: &SessionId, name: &str) -> Seat {
        let mut rooms = self.lock();
        let room = rooms.entry(session.clone()).or_insert_with(|| Room {
            streams: BTreeMap::new(),
            people: watch::Sender::new(People::from([])),
            audience: Arc::default(),
        });
        *room.streams.entry(name.to_owned()).or_default() += 1;
        room.tell();
        let mut people = room.people.subscribe();
        people.mark_changed();
        let audience = Arc::clone(&room.audience);
        Seat { presence: self.clone(), session: session.clone(), name: name.to_owned(), people, audience }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn tell(&self) {
        let named = self.streams.iter().take(NAMED);
        self.people.send_replace(
            named.map(|(name, streams)| Present { name: name.clone(), streams: *streams }).collect(),
        );
    }
}

impl Seat {
    /// Those of the session who have all of it; made by the first who has.
    pub(super) fn audience(&self) -> Arc<OnceCell<Audience>> {
        Arc::clone(&self.audience)
    }

    /// Who follows, as soon as that is news to this seat; at once the first time. Dropping the wait loses nothing.
    pub(crate) async fn news(&mut self) -> People {
        // The room is there as long as this seat, and with it the sender.
        let _ = self.people.changed().await;
        self.people.borrow_and_update().clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.presence.lock();
        let Some(room) = rooms.get_mut(&self.session) else { return };
        if let Some(streams) = room.streams.get_mut(&self.name) {
            *streams -= 1;
        }
        room.streams.retain(|_, streams| *streams > 0);
        if room.streams.is_empty() {
            rooms.remove(&self.session);
        } else {
            room.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(people: &People) -> Vec<(String, usize)> {
        people.iter().map(|present| (present.name.clone(), present.streams)).collect()
    }

    #[tokio::test]
    async fn everybody_sees_who_comes_and_goes() {
        let presence = Presence::default();
        let session: SessionId = "01JD0000000000000000000000".parse().unwrap();
        let mut ada = presence.enter(&session, "Ada");
        assert_eq!(told(&ada.news().await), [("Ada".to_owned(), 1)]);
        let bo = presence.enter(&session, "Bo");
        let again = presence.enter(&session, "Ada");
        assert_eq!(told(&ada.news().await), [("Ada".to_owned(), 2), ("Bo".to_owned(), 1)]);
        drop((bo, again));
        assert_eq!(told(&ada.news().await), [("Ada".to_owned(), 1)]);
        drop(ada);
        assert!(presence.lock().is_empty(), "an empty room is gone");
    }
}
