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
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            ring: RefCell::new(Ring::new(folder, SPOOL_BYTES)?),
            grown: Notify::new(),
            freed: Notify::new(),
            last: Cell::new(None),
            discarding: Cell::new(false),
        })
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
            let room = if self.discarding.get() { SPOOL_BYTES } else { self.ring.borrow().room() };
            if room > 0 {
                return room;
            }
            freed.await;
        }
    }

    pub(crate) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.discarding.get() {
            self.ring.borrow_mut().skip(bytes.len() as u64);
        } else {
            self.ring.borrow_mut().append(bytes)?;
        }
        self.grown.notify_waiters();
        Ok(())
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

    /// The process ended with `unread` bytes of this output still in the pipe.
    pub(crate) fn process_ended(&self, unread: u64) {
        if self.last.get().is_none() {
            self.last.set(Some(self.ring.borrow().end() + unread));
            self.grown.notify_waiters();
        }
    }

    /// Nobody will ever read this: what there is and what comes is dropped.
    pub(crate) fn discard(&self) {
        self.discarding.set(true);
        self.ring.borrow_mut().skip(0);
        self.freed.notify_waiters();
    }
}
