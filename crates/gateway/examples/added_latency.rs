//! What the gateway adds to a model request and to each piece of its answer, against asking the same upstream directly.
//! Prints JSON; all times are microseconds, on loopback, in one process.
//!
//! `cargo run --release -p lamplight-gateway --example added_latency`

use anyhow::{Context, Result};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use bytes::Bytes;
use lamplight_domain::Network;
use lamplight_domain::event::Contact;
use lamplight_domain::transcript::Tokens;
use lamplight_gateway::{Gateway, Grant, Ledger, Outside, Secret, Upstream, Upstreams};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const REQUESTS: usize = 3000;
const PIECES: usize = 3000;
/// As fast as a quick model speaks.
const BETWEEN_PIECES: Duration = Duration::from_millis(2);
const WARM_UP: usize = 200;

struct Nobody;

#[async_trait]
impl Ledger for Nobody {
    async fn used(&self, _: &str, _: Tokens, _: Option<u64>) {}
    async fn pushed(&self, _: &str) {}
    async fn contacted(&self, _: Contact) {}
    async fn refused(&self, _: &str) {}
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<()> {
    let began = now();
    let mut tasks = JoinSet::new();
    let upstream = TcpListener::bind("127.0.0.1:0").await?;
    let direct = format!("http://{}/v1", upstream.local_addr()?);
    let vendor = Router::new()
        .route("/v1/chat/completions", post(async || ([(CONTENT_TYPE, "application/json")], DOCUMENT)))
        .route("/v1/responses", post(async move || ([(CONTENT_TYPE, "text/event-stream")], events(began))));
    tasks.spawn(async move { axum::serve(upstream, vendor).await.context("serving the upstream") });

    let openai = Some(Upstream { base: direct.clone(), key: Secret::new("key") });
    let gateway = Arc::new(Gateway::new(Upstreams { openai, ..Upstreams::default() }, Outside::default())?);
    let door = TcpListener::bind("127.0.0.1:0").await?;
    let through = format!("http://{}/openai/v1", door.local_addr()?);
    tasks.spawn(async move {
        let mut streams = JoinSet::new();
        loop {
            let (socket, _) = door.accept().await?;
            socket.set_nodelay(true)?;
            let (gateway, grant) = (gateway.clone(), Arc::new(grant()?));
            streams.spawn(async move { gateway.serve(grant, Arc::new(Nobody), socket).await });
        }
    });

    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut whole = [Vec::new(), Vec::new()];
    for number in 0..REQUESTS + WARM_UP {
        for (base, times) in [&direct, &through].into_iter().zip(&mut whole) {
            let start = now();
            client.post(format!("{base}/chat/completions")).body(QUESTION).send().await?.bytes().await?;
            if number >= WARM_UP {
                times.push(start.elapsed());
            }
        }
    }
    let mut pieces = [Vec::new(), Vec::new()];
    for (base, times) in [&direct, &through].into_iter().zip(&mut pieces) {
        let mut answer = client.post(format!("{base}/responses")).body(QUESTION).send().await?;
        while let Some(piece) = answer.chunk().await? {
            let arrived = began.elapsed();
            if let Some(sent) = sent_at(&piece) {
                times.push(arrived.saturating_sub(sent));
            }
        }
        times.drain(..WARM_UP.min(times.len()));
    }
    let report = json!({"unit": "us", "request": compare(whole), "piece": compare(pieces)});
    println!("{report:#}");
    Ok(())
}

const QUESTION: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
const DOCUMENT: &str = r#"{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

/// An event stream in which each event says when it was sent.
fn events(began: Instant) -> Body {
    let ticks = tokio::time::interval(BETWEEN_PIECES);
    Body::from_stream(futures::stream::unfold((ticks, 0), move |(mut ticks, number)| async move {
        if number == PIECES {
            return None;
        }
        ticks.tick().await;
        let event = format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"some words\",\"at\":{}}}\n\n",
            began.elapsed().as_nanos()
        );
        Some((Ok::<_, Infallible>(Bytes::from(event)), (ticks, number + 1)))
    }))
}

fn sent_at(piece: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(piece).ok()?;
    let digits = text.rsplit_once("\"at\":")?.1.split('}').next()?;
    Some(Duration::from_nanos(digits.parse().ok()?))
}

fn compare([direct, through]: [Vec<Duration>; 2]) -> Value {
    let percentile = |times: &mut Vec<Duration>, percent: usize| {
        times.sort_unstable();
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0, Duration::as_micros) as i64
    };
    let (mut direct, mut through) = (direct, through);
    let mut row = json!({"samples": through.len()});
    for percent in [50, 99] {
        let (without, with) = (percentile(&mut direct, percent), percentile(&mut through, percent));
        row[format!("p{percent}")] = json!({"direct": without, "gateway": with, "added": with - without});
    }
    row
}

fn grant() -> Result<Grant> {
    Ok(Grant {
        session: "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse()?,
        repository: "/nowhere".into(),
        branch: "lamplight/x".to_owned(),
        base: "main".to_owned(),
        rewrite: false,
        models: true,
        network: Network::None,
    })
}

#[expect(clippy::disallowed_methods, reason = "this program measures")]
fn now() -> Instant {
    Instant::now()
}
