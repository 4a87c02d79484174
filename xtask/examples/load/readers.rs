//! Readers, and how long each event took to reach each of them.

use crate::peer::{Events, Peer};
use anyhow::{Context, Result, bail};
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// For one event to reach every reader.
const DELIVERED: Duration = Duration::from_secs(30);
/// For what a new reader is told at first to be over.
const SETTLED: Duration = Duration::from_millis(500);
/// Between two events: each is measured alone.
const PAUSE: Duration = Duration::from_millis(10);
/// Not measured: the first events wake what sleeps.
const WARM_UP: usize = 10;
const START: &str = "mark-";

/// A reader has read the event of that number, at that time.
type Seen = (usize, Instant);

/// Appends one event after the other, each when all readers have read the one before.
pub(crate) async fn deliver(peer: &Peer, readers: usize, events: usize) -> Result<Value> {
    let (sender, mut seen) = mpsc::channel(readers * 4);
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        tasks.spawn(read(peer.follow().await?, sender.clone()));
    }
    drop(sender);
    tokio::time::sleep(SETTLED).await;

    let mut waits = Vec::with_capacity(readers * events);
    for number in 0..WARM_UP + events {
        if number % peer.at_most() == peer.at_most() - 1 {
            peer.forget().await?;
            tokio::time::sleep(SETTLED).await;
        }
        let asked = now();
        let text = format!("{START}{number};");
        let append = peer.append(&text);
        let delivered = async {
            let mut missing = readers;
            while missing > 0 {
                let (seen, at) = seen.recv().await.context("a reader was sent away")?;
                // The same text may be told twice, by two kinds of event; the first counts.
                if seen == number {
                    missing -= 1;
                    if number >= WARM_UP {
                        waits.push(at.duration_since(asked));
                    }
                }
            }
            anyhow::Ok(())
        };
        let (appended, delivered) = tokio::join!(append, timeout(DELIVERED, delivered));
        appended?;
        delivered.with_context(|| format!("event {number} did not reach every reader"))??;
        tokio::time::sleep(PAUSE).await;
    }
    peer.forget().await?;
    tasks.abort_all();
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok(json!({ "readers": readers, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0) }))
}

/// Looks for numbers in what it reads; each is told once.
async fn read(mut events: Events, seen: mpsc::Sender<Seen>) -> Result<()> {
    let mut last = None;
    let mut rest = String::new();
    while let Some(piece) = events.next().await {
        rest.push_str(&String::from_utf8_lossy(&piece?));
        let at = now();
        while let Some((number, end)) = number(&rest) {
            rest.drain(..end);
            if last < Some(number) {
                last = Some(number);
                if seen.send((number, at)).await.is_err() {
                    return Ok(());
                }
            }
        }
        // What may be the beginning of a number stays.
        let keep = rest.rfind(START).unwrap_or(rest.len().saturating_sub(START.len()));
        let keep = (keep..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        rest.drain(..keep);
    }
    bail!("the stream ended")
}

/// The first number in the text, and where it ends.
fn number(text: &str) -> Option<(usize, usize)> {
    let start = text.find(START)? + START.len();
    let length = text[start..].find(';')?;
    Some((text[start..start + length].parse().ok()?, start + length + 1))
}

/// Follows, tells that it does, and stays until its standard input ends.
pub(crate) async fn idle(peer: &Peer, readers: usize) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let mut events = peer.follow().await?;
        tasks.spawn(async move { while events.next().await.is_some() {} });
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
fn now() -> Instant {
    Instant::now()
}
