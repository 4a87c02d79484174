//! Deliveries, a connection each for those that are under way, as a proxy before Lamplight keeps them.

use super::{Outcome, now, quantile};
use lamplight_fake_github::signature;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Of a body, as GitHub's are large.
const BODY_BYTES: usize = 20_000;
/// At a time: a few, of which each is timed, and many, which are counted.
const FEW: usize = 4;
const MANY: usize = 64;
/// The most of an answer's head and body that is read.
const ANSWER_BYTES: usize = 16 * 1024;

/// The first half with few at a time, the second with many; all are made and signed before.
pub(super) async fn send(authority: &str, secret: &str, count: usize, first: usize) -> Outcome<()> {
    let all: Vec<Vec<u8>> = (first..first + count).map(|n| request(authority, secret, n)).collect();
    let (timed, counted) = all.split_at(count / 2);
    let (mut waits, _) = run(authority, timed.to_vec(), FEW).await?;
    let (_, seconds) = run(authority, counted.to_vec(), MANY).await?;
    let report = json!({
        "p50_ms": quantile(&mut waits, 0.5),
        "p99_ms": quantile(&mut waits, 0.99),
        "per_second": counted.len() as f64 / seconds,
    });
    println!("{report}");
    Ok(())
}

/// Somebody's comment that means Lamplight, of somebody whom nobody knows.
fn request(authority: &str, secret: &str, n: usize) -> Vec<u8> {
    let body = json!({
        "action": "created", "repository": { "full_name": "acme/api" }, "issue": { "number": n },
        "comment": {
            "id": n, "body": "@lamplight go on", "created_at": "2026-01-31T12:00:00Z",
            "user": { "login": format!("nobody-{n}"), "id": n, "type": "User" },
        },
        "padding": "x".repeat(BODY_BYTES - 400),
    })
    .to_string();
    let signature = signature(secret, body.as_bytes());
    format!(
        "POST /github/webhooks HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nX-GitHub-Event: issue_comment\r\n\
         X-GitHub-Delivery: load-{n}\r\nX-Hub-Signature-256: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// How long each waited for its answer, in milliseconds, and how long all took, in seconds.
async fn run(authority: &str, all: Vec<Vec<u8>>, at_once: usize) -> Outcome<(Vec<f64>, f64)> {
    let (all, next) = (Arc::new(all), Arc::new(AtomicUsize::new(0)));
    let begun = now();
    let mut senders = JoinSet::new();
    for _ in 0..at_once {
        let mut stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (all, next) = (all.clone(), next.clone());
        senders.spawn(async move {
            let mut waits = Vec::new();
            while let Some(request) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                let begun = now();
                stream.write_all(request).await?;
                accepted(&mut stream).await?;
                waits.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            Outcome::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(sender) = senders.join_next().await {
        waits.extend(sender??);
    }
    Ok((waits, begun.elapsed().as_secs_f64()))
}

async fn accepted(stream: &mut TcpStream) -> Outcome<()> {
    let mut answer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut answer).await? == 0 || answer.len() > ANSWER_BYTES {
            return Err("the connection ended within an answer".into());
        }
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        if !head.starts_with("http/1.1 202") {
            return Err(format!("a delivery was answered {head}").into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if answer.len() >= end + 4 + length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            return Ok(());
        }
    }
}
