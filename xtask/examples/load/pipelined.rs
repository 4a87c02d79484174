//! How many events a second one session takes over HTTP: whoever asks does not wait for one answer before the next request.

use crate::peer::Peer;
use crate::readers::{now, position};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Requests that are sent before the first of their answers is read.
const AHEAD: usize = 64;
const DONE: &[u8] = b"HTTP/1.1 204";
/// Of the head of an answer.
const END: &[u8] = b"\r\n\r\n";
const READ_BYTES: usize = 64 * 1024;

/// Changes one prompt that waits, again and again, over so many connections; each change is an event that is on disk when it is answered.
pub(crate) async fn edit(peer: &Peer, connections: usize, rounds: usize) -> Result<Value> {
    peer.append("to be changed").await?;
    let path = peer.waiting().await?;
    let host = peer.host()?.to_owned();
    let before = peer.last_seq().await?;
    let start = now();
    let mut editing = JoinSet::new();
    for connection in 0..connections {
        editing.spawn(edit_over_one(host.clone(), path.clone(), connection, rounds));
    }
    while let Some(edited) = editing.join_next().await {
        edited??;
    }
    let took = start.elapsed();
    let count = connections * rounds * AHEAD;
    let appended = peer.last_seq().await? - before;
    ensure!(appended == count as u64, "{appended} events are in the log, of {count}");
    peer.forget().await?;
    Ok(json!({ "events_per_second": count as f64 / took.as_secs_f64() }))
}

async fn edit_over_one(host: String, path: String, connection: usize, rounds: usize) -> Result<()> {
    let mut stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    for round in 0..rounds {
        let requests: String = (0..AHEAD)
            .map(|place| {
                let body = json!({ "text": format!("{connection} {round} {place}") }).to_string();
                format!(
                    "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            })
            .collect();
        stream.write_all(requests.as_bytes()).await?;
        answers(&mut stream).await?;
    }
    Ok(())
}

/// Reads as many as were asked for, all of success; none of them has a body.
async fn answers(stream: &mut TcpStream) -> Result<()> {
    let (mut read, mut left) = (Vec::with_capacity(READ_BYTES), AHEAD);
    while left > 0 {
        ensure!(stream.read_buf(&mut read).await? > 0, "the connection ended");
        let mut begin = 0;
        while let Some(end) = position(&read[begin..], END) {
            let answer = &read[begin..begin + end];
            ensure!(answer.starts_with(DONE), "refused: {}", String::from_utf8_lossy(answer));
            begin += end + END.len();
            left -= 1;
        }
        read.drain(..begin);
    }
    Ok(())
}
