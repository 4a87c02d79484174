//! How many events a second one session takes over HTTP: whoever asks does not wait for one answer before the next request.

use crate::answer;
use crate::peer::Peer;
use crate::readers::now;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Requests that are sent before the first of their answers is read.
const AHEAD: usize = 64;
const READ_BYTES: usize = 64 * 1024;

/// Appends over so many connections; each event is on disk when it is answered.
pub(crate) async fn append(mut peer: Peer, connections: usize, rounds: usize) -> Result<Value> {
    peer.prepare().await?;
    let peer = Arc::new(peer);
    let before = peer.last_seq().await?;
    let start = now();
    let mut appending = JoinSet::new();
    for connection in 0..connections {
        appending.spawn(append_over_one(Arc::clone(&peer), connection, rounds));
    }
    while let Some(appended) = appending.join_next().await {
        appended??;
    }
    let took = start.elapsed();
    let count = connections * rounds * AHEAD;
    if let (Some(before), Some(last)) = (before, peer.last_seq().await?) {
        ensure!(last - before == count as u64, "{} events are in the log, of {count}", last - before);
    }
    peer.forget().await?;
    Ok(json!({ "events_per_second": count as f64 / took.as_secs_f64() }))
}

async fn append_over_one(peer: Arc<Peer>, connection: usize, rounds: usize) -> Result<()> {
    let mut stream = TcpStream::connect(peer.host()?).await?;
    stream.set_nodelay(true)?;
    for round in 0..rounds {
        let requests = (0..AHEAD).map(|place| peer.request(&format!("{connection} {round} {place}")));
        stream.write_all(&requests.collect::<Result<Vec<_>>>()?.concat()).await?;
        answers(&mut stream).await?;
    }
    Ok(())
}

/// Reads as many as were asked for, all of success.
async fn answers(stream: &mut TcpStream) -> Result<()> {
    let (mut read, mut left) = (Vec::with_capacity(READ_BYTES), AHEAD);
    while left > 0 {
        ensure!(stream.read_buf(&mut read).await? > 0, "the connection ended");
        let mut begin = 0;
        while let Some(length) = answer::length(&read[begin..])? {
            begin += length;
            left -= 1;
        }
        read.drain(..begin);
    }
    Ok(())
}
