//! The programs of `cargo xtask bench github`: a door that only receives, the load, and a GitHub with an issue that somebody labels. Prints JSON.
//!
//! ```text
//! github_load bare PORT                            receives deliveries and answers them; nothing else
//! github_load send AUTHORITY SECRET COUNT FIRST    signed deliveries of 20 KB, all of them new from this number on
//! github_load sessions ROOT TOKEN SECRET COUNT     says where it is; a line with Lamplight's authority begins it
//! ```

mod load;
mod sessions;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use std::error::Error;
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["bare", port] => bare(port.parse()?).await,
        ["send", authority, secret, count, first] => {
            load::send(authority, secret, count.parse()?, first.parse()?).await
        }
        ["sessions", root, token, secret, count] => sessions::run(root, token, secret, count.parse()?).await,
        _ => Err("see the first lines of this program for how it is used".into()),
    }
}

async fn bare(port: u16) -> Outcome<()> {
    let receive = async |_body: Bytes| StatusCode::ACCEPTED;
    let router = Router::new()
        .route("/github/webhooks", post(receive))
        .route("/healthz", axum::routing::get(async || "ok"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Milliseconds since 1970, as they stand in logs.
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn clock_ms() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() * 1e3
}

/// Of numbers in any order.
fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(((numbers.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}
