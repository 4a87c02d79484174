//! Who follows a session. Readers pull: each has a place in the log, and takes what is after it from a ring that all
//! share or, when it is far behind, from the store. A slow reader holds nothing and slows nobody.

use crate::CommandError;
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId};
use lamplight_store::Store;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Entries that are kept for readers who are nearly caught up.
const RING_ENTRIES: usize = 1024;
/// And their bytes.
const RING_BYTES: usize = 1 << 20;
/// What one reading from the store brings.
const READ_ENTRIES: usize = 512;
const READ_BYTES: usize = 1 << 20;

/// The recent end of one session's log, as its readers get it.
#[derive(Debug)]
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    last: watch::Sender<Seq>,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<(Seq, Bytes)>,
    bytes: usize,
}

impl Hub {
    /// For a log that ends at `last`.
    pub(crate) fn new(last: Seq) -> Self {
        Self { ring: Mutex::default(), last: watch::Sender::new(last), is_over: AtomicBool::new(false) }
    }

    /// Nothing is shown here any more: whoever follows has to look for the session again.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.last.send_modify(|_| {});
    }

    /// Where the log ends, once it has been read.
    pub(crate) fn begin(&self, last: Seq) {
        self.last.send_if_modified(|at| std::mem::replace(at, last.max(*at)) != *at);
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.last.receiver_count() > 0
    }

    /// Resolves when nobody follows.
    pub(crate) async fn unfollowed(&self) {
        self.last.closed().await;
    }

    /// Shows entries that are durable and follow what was shown before.
    pub(crate) fn publish(&self, entries: &[(Seq, Bytes)]) {
        let Some((last, _)) = entries.last() else { return };
        if self.is_followed() {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for (seq, frame) in entries {
                ring.bytes += frame.len();
                ring.entries.push_back((*seq, frame.clone()));
            }
            while ring.entries.len() > RING_ENTRIES || ring.bytes > RING_BYTES {
                let Some((_, frame)) = ring.entries.pop_front() else { break };
                ring.bytes -= frame.len();
            }
        } else {
            *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = Ring::default();
        }
        self.last.send_replace(*last);
    }

    /// Entries after `after`, when the ring still has the first of them.
    fn recent(&self, after: Seq) -> Option<Vec<(Seq, Bytes)>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = ring.entries.front()?;
        let skip = usize::try_from(after.next().0.checked_sub(first.0)?).ok()?;
        (skip < ring.entries.len()).then(|| ring.entries.range(skip..).cloned().collect())
    }
}

/// One reader's place in a session's log.
pub struct Follower {
    session: SessionId,
    hub: Arc<Hub>,
    store: Store,
    place: Seq,
    last: watch::Receiver<Seq>,
}

impl Follower {
    pub(crate) fn new(session: SessionId, hub: Arc<Hub>, store: Store, after: Seq) -> Self {
        let last = hub.last.subscribe();
        Self { session, hub, store, place: after, last }
    }

    /// The end of the log as it is now.
    pub fn last_seq(&self) -> Seq {
        *self.last.borrow()
    }

    /// The same, to be looked at later.
    pub fn end(&self) -> watch::Receiver<Seq> {
        self.last.clone()
    }

    /// The next entries, in order, without gap or double; waits until there are some, for ever if there are none. Fails with
    /// [`CommandError::Moved`] when the session does not go on here. It waits for
    /// one thing only: a thousand readers do this for every entry.
    pub async fn next(&mut self) -> Result<Vec<(Seq, Bytes)>, CommandError> {
        loop {
            if *self.last.borrow_and_update() > self.place {
                let entries = match self.hub.recent(self.place) {
                    Some(entries) => entries,
                    None => self.store.read(&self.session, self.place, READ_ENTRIES, READ_BYTES).await?,
                };
                if let Some((last, _)) = entries.last() {
                    self.place = *last;
                    return Ok(entries);
                }
            }
            if self.hub.is_over.load(Ordering::SeqCst) {
                return Err(CommandError::Moved);
            }
            self.last.changed().await.expect("the sender is in the hub that this reader holds");
        }
    }
}
