//! Stands between a host and a guest, and cuts the link at a chosen place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// Which way the bytes go that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToGuest,
    ToHost,
}

/// After how much.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Bytes(usize),
    /// Whole frames of the multiplexer.
    Frames(usize),
    Never,
}

pub(crate) struct Proxy {
    has_cut: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// The host's end of a connection to the guest that is cut in both directions when enough went in the one.
    pub(crate) fn new(guest: UnixStream, direction: Direction, at: At) -> (Self, UnixStream) {
        let (host, ours) = UnixStream::pair().unwrap();
        let has_cut = Arc::new(AtomicBool::new(false));
        let mut task = JoinSet::new();
        let cut = Arc::clone(&has_cut);
        task.spawn(async move {
            let (from_host, to_host) = tokio::io::split(ours);
            let (from_guest, to_guest) = tokio::io::split(guest);
            let limit = |this| if this == direction { Limit::new(at) } else { Limit::new(At::Never) };
            let reached = tokio::select! {
                reached = carry(from_host, to_guest, limit(Direction::ToGuest)) => reached,
                reached = carry(from_guest, to_host, limit(Direction::ToHost)) => reached,
            };
            cut.store(reached, Ordering::SeqCst);
        });
        (Self { has_cut, _task: task }, host)
    }

    /// Whether the conversation got as far as the place to cut at.
    pub(crate) fn has_cut(&self) -> bool {
        self.has_cut.load(Ordering::SeqCst)
    }
}

/// True when the limit was reached, false when either end hung up before.
async fn carry(mut from: ReadHalf<UnixStream>, mut to: WriteHalf<UnixStream>, mut limit: Limit) -> bool {
    let mut buffer = [0; 8 * 1024];
    while !limit.reached() {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return false };
        let passed = limit.pass(&buffer[..length]);
        if to.write_all(&buffer[..passed]).await.is_err() {
            return false;
        }
    }
    true
}

struct Limit {
    at: At,
    /// Of the frame that is passing.
    header: Vec<u8>,
    body: usize,
}

/// Source: the yamux specification, "Framing": version, type, flags (2), stream (4), length (4); a body only with type 0.
const HEADER: usize = 12;

impl Limit {
    fn new(at: At) -> Self {
        Self { at, header: Vec::new(), body: 0 }
    }

    fn reached(&self) -> bool {
        matches!(self.at, At::Bytes(0) | At::Frames(0))
    }

    /// How many of these bytes may pass.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        match &mut self.at {
            At::Never => bytes.len(),
            At::Bytes(left) => {
                let passed = bytes.len().min(*left);
                *left -= passed;
                passed
            }
            At::Frames(_) => self.pass_frames(bytes),
        }
    }

    fn pass_frames(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() && !self.reached() {
            let rest = &bytes[passed..];
            if self.header.len() < HEADER {
                let taken = rest.len().min(HEADER - self.header.len());
                self.header.extend_from_slice(&rest[..taken]);
                passed += taken;
                if self.header.len() == HEADER && self.header[1] == 0 {
                    self.body = u32::from_be_bytes(self.header[8..].try_into().unwrap()) as usize;
                }
            } else {
                let taken = rest.len().min(self.body);
                self.body -= taken;
                passed += taken;
            }
            if self.header.len() == HEADER && self.body == 0 {
                self.header.clear();
                if let At::Frames(left) = &mut self.at {
                    *left -= 1;
                }
            }
        }
        passed
    }
}
