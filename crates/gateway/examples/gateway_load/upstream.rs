//! A model: how it answers is in its name, `PIECES-INTERVAL_MS`, and an interval of `hang` means that it says nothing after the first.
//! Each piece holds the moment at which it was said. And a source of bytes.

use crate::clock;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What the source of bytes gives at a time.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

pub(crate) async fn serve(address: Ipv4Addr, port: u16) -> Result<()> {
    let router = Router::new()
        .route("/v1/chat/completions", post(answer))
        .route("/bytes/{count}", get(async |Path(count): Path<u64>| source(count)))
        .route("/", get(async || "ready"));
    let listener = tokio::net::TcpListener::bind((address, port)).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
        let _only_slower = socket.set_nodelay(true);
    });
    axum::serve(listener, router).await.context("serving the model")
}

#[derive(Deserialize)]
struct Asked {
    model: String,
}

async fn answer(body: Bytes) -> impl IntoResponse {
    let model = serde_json::from_slice::<Asked>(&body).map(|asked| asked.model).unwrap_or_default();
    let (count, interval) = model.split_once('-').unwrap_or(("1", "0"));
    let (count, interval) = (count.parse().unwrap_or(1), interval.parse::<u64>().ok());
    let pieces = futures::stream::unfold(0_u32, move |number| async move {
        if number > 0 {
            match interval {
                Some(0) => {}
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
        }
        let piece = if number < count {
            chunk(&format!("[{}]", clock()), "null")
        } else if number == count {
            format!("{}data: [DONE]\n\n", chunk("", "\"stop\""))
        } else {
            return None;
        };
        Some((Ok::<_, Infallible>(Bytes::from(piece)), number + 1))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces))
}

fn chunk(content: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.1\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"{content}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn source(count: u64) -> impl IntoResponse {
    let pieces = futures::stream::unfold(count, |left| async move {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
        let piece = Bytes::from_static(&ZEROS[..length]);
        (length > 0).then(|| (Ok::<_, Infallible>(piece), left - length as u64))
    });
    ([(CONTENT_LENGTH, count.to_string())], Body::from_stream(pieces))
}
