//! Readers, and how long each event took to reach each of them.
//!
//! One thread asks, hears the answer and reads for all, by one `epoll` and no tasks: it shares the processors with the server that is measured,
//! and what it takes of them longer than it must would be measured too.

use crate::answer;
use crate::peer::Peer;
use anyhow::{Context, Result, bail, ensure};
use rustix::event::{Timespec, epoll};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

/// For one event to reach every reader.
const DELIVERED: Duration = Duration::from_secs(30);
/// For what a new reader is told at first to be over.
const SETTLED: Duration = Duration::from_millis(500);
/// Not measured: the first events wake what sleeps.
const WARM_UP: usize = 10;
/// Read at once, and connections that are told to be ready at once.
const READ_BYTES: usize = 16 * 1024;
const READY: usize = 1024;

/// Appends one event after the other, each so long after all readers have read the one before.
pub(crate) async fn deliver(
    peer: &mut Peer,
    readers: usize,
    events: usize,
    pause: Duration,
) -> Result<Value> {
    peer.prepare().await?;
    let mut crowd = Crowd::new(peer.host()?)?;
    for _ in 0..readers {
        let (stream, rest) = peer.follow().await?;
        crowd.admit(stream.into_std()?, rest)?;
    }
    let mut waits = Vec::with_capacity(readers * events);
    crowd.listen(SETTLED)?;
    for number in 0..WARM_UP + events {
        // A server may repeat what an earlier load has sent, or tell the same text twice, by two kinds of event: the first counts.
        let mark = format!("mark-{}-{number};", std::process::id());
        let request = peer.request(&mark)?;
        let took = crowd.tell(&request, mark.as_bytes());
        let took = took.with_context(|| format!("event {number} did not reach every reader"))?;
        if number >= WARM_UP {
            waits.extend(took);
        }
        crowd.listen(pause)?;
    }
    peer.forget().await?;
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok(json!({ "readers": readers, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0) }))
}

/// All readers, and the connection over which events are appended, which stands before the first of them.
struct Crowd {
    ready: OwnedFd,
    asking: TcpStream,
    answer: Vec<u8>,
    readers: Vec<Reader>,
    scratch: Vec<u8>,
}

struct Reader {
    stream: TcpStream,
    /// What may be the beginning of a mark.
    rest: Vec<u8>,
    has_it: bool,
}

impl Crowd {
    fn new(host: &str) -> Result<Self> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let asking = TcpStream::connect(host)?;
        asking.set_nodelay(true)?;
        asking.set_nonblocking(true)?;
        epoll::add(&ready, &asking, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        Ok(Self { ready, asking, answer: Vec::new(), readers: Vec::new(), scratch: vec![0; READ_BYTES] })
    }

    fn admit(&mut self, stream: TcpStream, rest: Vec<u8>) -> Result<()> {
        let place = epoll::EventData::new_u64(self.readers.len() as u64 + 1);
        epoll::add(&self.ready, &stream, place, epoll::EventFlags::IN)?;
        self.readers.push(Reader { stream, rest, has_it: true });
        Ok(())
    }

    /// Reads what comes although nothing was asked for.
    fn listen(&mut self, long: Duration) -> Result<()> {
        let until = now() + long;
        while let Some(left) = until.checked_duration_since(now()).filter(|left| !left.is_zero()) {
            self.hear(b"", left, |_| {})?;
        }
        Ok(())
    }

    /// How long after the request each reader had read the mark.
    fn tell(&mut self, request: &[u8], mark: &[u8]) -> Result<Vec<Duration>> {
        self.readers.iter_mut().for_each(|reader| reader.has_it = false);
        self.answer.clear();
        let mut took = Vec::with_capacity(self.readers.len());
        let asked = now();
        self.asking.write_all(request)?;
        while took.len() < self.readers.len() || answer::length(&self.answer)?.is_none() {
            let left = DELIVERED.checked_sub(asked.elapsed());
            let left = left.with_context(|| format!("{} had it", took.len()))?;
            self.hear(mark, left, |at| took.push(at.duration_since(asked)))?;
        }
        Ok(took)
    }

    /// Waits until somebody hears something, for so long.
    fn hear(&mut self, mark: &[u8], long: Duration, mut had: impl FnMut(Instant)) -> Result<()> {
        let mut events = Vec::with_capacity(READY);
        let long = Timespec { tv_sec: long.as_secs() as i64, tv_nsec: i64::from(long.subsec_nanos()) };
        epoll::wait(&self.ready, rustix::buffer::spare_capacity(&mut events), Some(&long))?;
        for event in events {
            let place = { event.data }.u64() as usize;
            let from = place.checked_sub(1).map(|place| &mut self.readers[place]);
            let stream = from.as_ref().map_or(&self.asking, |reader| &reader.stream);
            let count = match { stream }.read(&mut self.scratch) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            ensure!(count > 0, "connection {place} was ended");
            match from {
                None => self.answer.extend_from_slice(&self.scratch[..count]),
                Some(reader) => {
                    if reader.reads(&self.scratch[..count], mark) {
                        had(now());
                    }
                }
            }
        }
        Ok(())
    }
}

impl Reader {
    /// Whether the mark is in it, for the first time.
    fn reads(&mut self, bytes: &[u8], mark: &[u8]) -> bool {
        if self.has_it {
            return false;
        }
        self.rest.extend_from_slice(bytes);
        self.has_it = position(&self.rest, mark).is_some();
        let gone = if self.has_it { self.rest.len() } else { self.rest.len().saturating_sub(mark.len()) };
        self.rest.drain(..gone);
        self.has_it
    }
}

pub(crate) fn position(bytes: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, word)
}

/// Follows, tells that it does, and stays until its standard input ends.
pub(crate) async fn idle(peer: &Peer, readers: usize) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let (mut stream, _) = peer.follow().await?;
        tasks.spawn(async move {
            let mut bytes = [0; 1024];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        });
    }
    println!("following");
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    if tasks.try_join_next().is_some() {
        bail!("a reader was sent away");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
