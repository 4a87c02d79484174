//! One process in a sandbox: what it says is kept until it is acknowledged, and what it is told has numbers.

use crate::agent::Agent;
use bytes::Bytes;
use lamplight_wire::output::MAX_OUTPUT;
use lamplight_wire::{Bounds, ExitStatus, ProcessState};
use std::sync::Mutex;
use tokio::sync::Notify;

pub(crate) struct Process {
    pub(crate) name: String,
    /// The link that it lives no longer than.
    pub(crate) transient: Option<u64>,
    pub(crate) inner: Mutex<Inner>,
    /// Something of it has changed.
    pub(crate) news: Notify,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) stdout: Spool,
    pub(crate) stderr: Spool,
    pub(crate) has_input: bool,
    /// The last message that it has.
    pub(crate) written: u64,
    /// Streams that ever served its input; the newest does.
    pub(crate) inputs: u64,
    pub(crate) status: Option<ExitStatus>,
    /// `None` of a command of ours.
    pub(crate) agent: Option<Agent>,
}

#[derive(Default)]
pub(crate) struct Spool {
    start: u64,
    bytes: Vec<u8>,
}

impl Process {
    pub(crate) fn new(name: String, transient: Option<u64>, inner: Inner) -> Self {
        Self { name, transient, inner: Mutex::new(inner), news: Notify::new() }
    }

    pub(crate) fn state(&self) -> ProcessState {
        let inner = crate::universe::lock(&self.inner);
        ProcessState {
            process: self.name.clone(),
            pid: 2,
            status: inner.status,
            stdin_written: inner.written,
            stdout: inner.stdout.bounds(),
            stderr: inner.stderr.bounds(),
        }
    }

    /// Unless it has ended before; whether it had not.
    pub(crate) fn end(&self, status: ExitStatus) -> bool {
        let mut inner = crate::universe::lock(&self.inner);
        let runs = inner.status.is_none();
        inner.status = inner.status.or(Some(status));
        drop(inner);
        self.news.notify_waiters();
        runs
    }
}

impl Spool {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { start: self.start, end: self.start + self.bytes.len() as u64 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What there is from this place on, as much as fits into a frame; `None` of what is gone.
    pub(crate) fn read(&self, from: u64) -> Option<Bytes> {
        let skip = usize::try_from(from.checked_sub(self.start)?).ok()?;
        let rest = self.bytes.get(skip..)?;
        Some(Bytes::copy_from_slice(&rest[..rest.len().min(MAX_OUTPUT)]))
    }

    /// Everything before is somebody else's; whether that was ever said.
    pub(crate) fn acknowledge(&mut self, to: u64) -> bool {
        let Some(gone) = to.checked_sub(self.start).and_then(|gone| usize::try_from(gone).ok()) else {
            return true;
        };
        if gone > self.bytes.len() {
            return false;
        }
        self.bytes.drain(..gone);
        self.start = to;
        true
    }
}
