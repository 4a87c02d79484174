//! Readers that come back to a session.

use crate::peer::Peer;
use crate::readers::{now, position};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

/// For one reader to have what it is waiting for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that are being made at a time: as many as a server lets wait.
const AT_ONCE: usize = 256;
const READ_BYTES: usize = 64 * 1024;

/// One after the other.
pub(crate) async fn behind(peer: &Peer, events: u64, rounds: usize) -> Result<Value> {
    let last = peer.last_seq().await?.context("its log has an end")?;
    let end = format!("\"seq\":{last},");
    let mut waits = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = now();
        let (stream, rest) = peer.follow_from(last - events).await?;
        read_until(stream, rest, end.as_bytes()).await?;
        waits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    Ok(json!({ "p50_ms": at(0.5), "p99_ms": at(0.99) }))
}

/// All at once. What they wait for is appended when the last of them is connected.
pub(crate) async fn storm(mut peer: Peer, readers: usize) -> Result<Value> {
    peer.prepare().await?;
    LocalSet::new().run_until(storm_here(Rc::new(peer), readers)).await
}

async fn storm_here(peer: Rc<Peer>, readers: usize) -> Result<Value> {
    let last = peer.last_seq().await?;
    let mark = format!("mark-{};", std::process::id());
    let (door, mut connecting, mut reading) =
        (Rc::new(Semaphore::new(AT_ONCE)), JoinSet::new(), JoinSet::new());
    let start = now();
    for _ in 0..readers {
        let (peer, door) = (Rc::clone(&peer), Rc::clone(&door));
        connecting.spawn_local(async move {
            let _turn = door.acquire().await?;
            match last {
                Some(last) => peer.follow_from(last).await,
                None => peer.follow().await,
            }
        });
    }
    while let Some(connected) = connecting.join_next().await {
        let (stream, rest) = connected??;
        let mark = mark.clone();
        reading.spawn_local(async move { read_until(stream, rest, mark.as_bytes()).await });
    }
    let connected = start.elapsed();
    peer.append(&mark).await?;
    while let Some(read) = reading.join_next().await {
        read??;
    }
    let all = start.elapsed();
    peer.forget().await?;
    Ok(json!({ "connected_ms": connected.as_secs_f64() * 1e3, "all_ms": all.as_secs_f64() * 1e3 }))
}

async fn read_until(mut stream: TcpStream, mut rest: Vec<u8>, word: &[u8]) -> Result<TcpStream> {
    timeout(PATIENCE, async {
        loop {
            if position(&rest, word).is_some() {
                return Ok(stream);
            }
            let keep = rest.len().saturating_sub(word.len());
            rest.drain(..keep);
            rest.reserve(READ_BYTES);
            ensure!(stream.read_buf(&mut rest).await? > 0, "the stream ended");
        }
    })
    .await
    .context("it does not come")?
}
