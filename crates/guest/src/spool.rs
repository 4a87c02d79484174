//! One output of one process: the ring, and who waits for it.

use crate::ring::Ring;
use lamplight_wire::Bounds;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use tokio::sync::Notify;

/// Unread bytes of one output that are kept; when they are as many, the process has to wait.
pub(crate) const SPOOL_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) struct Spool {
    ring: RefCell<Ring>,
    /// More to read, or the last byte is known.
    pub(crate) grown: Notify,
    /// Room for more.
    freed: Notify,
    /// How many bytes the process had written when it ended, or its output was closed.
    last: Cell<Option<u64>>,
    discarding: Cell<bool>,
}

impl Spool {
    pub(crate) fn new(folder: &Path) -> Self {
        Self::of(Ring::new(folder, SPOOL_BYTES))
    }

    /// One that holds the newest bytes and never makes anybody wait.
    pub(crate) fn in_memory(capacity: u64) -> Self {
        Self::of(Ring::in_memory(capacity))
    }

    fn of(ring: Ring) -> Self {
        Self {
            ring: RefCell::new(ring),
            grown: Notify::new(),
            freed: Notify::new(),
            last: Cell::new(None),
            discarding: Cell::new(false),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let ring = self.ring.borrow();
        Bounds { start: ring.start(), end: ring.end() }
    }

    /// Whether a reader who has everything before `offset` has all that the process wrote in its life.
    pub(crate) fn is_complete_at(&self, offset: u64) -> bool {
        self.last.get().is_some_and(|last| offset >= last)
    }

    /// Waits until at least one byte can be appended; returns how many.
    pub(crate) async fn room(&self) -> u64 {
        loop {
            let freed = self.freed.notified();
            let room = if self.is_over() { SPOOL_BYTES } else { self.ring.borrow().room() };
            if room > 0 {
                return room;
            }
            freed.await;
        }
    }

    /// Bytes that nobody will read are dropped.
    pub(crate) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let mut ring = self.ring.borrow_mut();
        let wanted = self.last.get().map_or(u64::MAX, |last| last - ring.end());
        let kept = wanted.min(bytes.len() as u64) as usize;
        ring.append(&bytes[..kept])?;
        self.grown.notify_waiters();
        Ok(())
    }

    /// Appends, and lets go of as many of the oldest bytes as there is no room for; at most as many as all of the room.
    pub(crate) fn append_newest(&self, bytes: &[u8]) -> io::Result<()> {
        let mut ring = self.ring.borrow_mut();
        let missing = (bytes.len() as u64).saturating_sub(ring.room());
        let start = ring.start() + missing;
        ring.acknowledge(start);
        ring.append(bytes)?;
        self.grown.notify_waiters();
        Ok(())
    }

    /// Whether nobody will read what comes now.
    fn is_over(&self) -> bool {
        self.discarding.get() || self.is_complete_at(self.ring.borrow().end())
    }

    /// See `Ring::read`.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<Option<usize>> {
        self.ring.borrow().read(offset, into)
    }

    /// See `Ring::acknowledge`.
    pub(crate) fn acknowledge(&self, offset: u64) -> bool {
        let known = self.ring.borrow_mut().acknowledge(offset);
        self.freed.notify_waiters();
        known
    }

    /// The process ended with `unread` bytes of this output still in the pipe. They are its last: what others go on to write
    /// there is nobody's.
    pub(crate) fn process_ended(&self, unread: u64) {
        if self.last.get().is_none() {
            self.last.set(Some(self.ring.borrow().end() + unread));
            self.grown.notify_waiters();
            self.freed.notify_waiters();
        }
    }

    /// Nobody will ever read this, so nothing waits for room in it any more.
    pub(crate) fn discard(&self) {
        self.discarding.set(true);
        self.freed.notify_waiters();
    }
}
