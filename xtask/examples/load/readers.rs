//! Readers, and how long each event took to reach each of them.

use crate::peer::Peer;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

/// For one event to reach every reader.
const DELIVERED: Duration = Duration::from_secs(30);
/// For what a new reader is told at first to be over.
const SETTLED: Duration = Duration::from_millis(500);
/// Between two events: each is measured alone.
const PAUSE: Duration = Duration::from_millis(10);
/// Not measured: the first events wake what sleeps.
const WARM_UP: usize = 10;
/// Read at once by one reader.
const READ_BYTES: usize = 16 * 1024;

/// Where all readers say what they have read.
struct Board {
    /// What stands before the number of an event of ours; a server may repeat what an earlier load has sent.
    start: Vec<u8>,
    /// The event that is on its way, and how many have not read it.
    number: usize,
    missing: usize,
    seen_at: Vec<Instant>,
    /// A reader was sent away.
    lost: Option<String>,
}

struct Shared {
    board: RefCell<Board>,
    /// Nobody misses it any more, or somebody is lost.
    told: Notify,
}

/// Appends one event after the other, each when all readers have read the one before.
pub(crate) async fn deliver(peer: &Peer, readers: usize, events: usize) -> Result<Value> {
    LocalSet::new().run_until(deliver_here(peer, readers, events)).await
}

async fn deliver_here(peer: &Peer, readers: usize, events: usize) -> Result<Value> {
    let start = format!("mark-{}-", std::process::id());
    let board = Board { start: start.clone().into(), number: 0, missing: 0, seen_at: Vec::new(), lost: None };
    let shared = Rc::new(Shared { board: RefCell::new(board), told: Notify::new() });
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let (stream, rest) = peer.follow().await?;
        tasks.spawn_local(read(stream, rest, Rc::clone(&shared)));
    }
    tokio::time::sleep(SETTLED).await;

    let mut waits = Vec::with_capacity(readers * events);
    for number in 0..WARM_UP + events {
        if number % peer.at_most() == peer.at_most() - 1 {
            peer.forget().await?;
            tokio::time::sleep(SETTLED).await;
        }
        {
            let mut board = shared.board.borrow_mut();
            (board.number, board.missing) = (number, readers);
            board.seen_at.clear();
        }
        let text = format!("{start}{number};");
        let asked = now();
        let (appended, delivered) = tokio::join!(peer.append(&text), timeout(DELIVERED, delivered(&shared)));
        appended?;
        delivered.with_context(|| format!("event {number} did not reach every reader"))??;
        if number >= WARM_UP {
            waits.extend(shared.board.borrow().seen_at.iter().map(|at| at.duration_since(asked)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    peer.forget().await?;
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok(json!({ "readers": readers, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0) }))
}

async fn delivered(shared: &Shared) -> Result<()> {
    loop {
        {
            let board = shared.board.borrow();
            if let Some(why) = &board.lost {
                bail!("a reader was sent away: {why}");
            }
            if board.missing == 0 {
                return Ok(());
            }
        }
        shared.told.notified().await;
    }
}

/// Looks for numbers in what it reads; the same text may be told twice, by two kinds of event, and the first counts.
async fn read(mut stream: TcpStream, mut rest: Vec<u8>, shared: Rc<Shared>) {
    let start = shared.board.borrow().start.clone();
    let mut next = 0;
    let lost = loop {
        match stream.read_buf(&mut rest).await {
            Ok(0) => break "the stream ended".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
        while let Some((number, end)) = number(&rest, &start) {
            rest.drain(..end);
            let mut board = shared.board.borrow_mut();
            if number == board.number && number >= next {
                next = number + 1;
                board.seen_at.push(now());
                board.missing -= 1;
                if board.missing == 0 {
                    shared.told.notify_one();
                }
            }
        }
        // What may be the beginning of a number stays.
        let keep = position(&rest, &start).unwrap_or(rest.len().saturating_sub(start.len()));
        rest.drain(..keep);
        rest.reserve(READ_BYTES);
    };
    shared.board.borrow_mut().lost = Some(lost);
    shared.told.notify_one();
}

/// The first number in the bytes, and where it ends.
fn number(bytes: &[u8], start: &[u8]) -> Option<(usize, usize)> {
    let start = position(bytes, start)? + start.len();
    let length = bytes[start..].iter().position(|byte| *byte == b';')?;
    let text = std::str::from_utf8(&bytes[start..start + length]).ok()?;
    Some((text.parse().ok()?, start + length + 1))
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
