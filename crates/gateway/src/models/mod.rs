//! Models: a request passes to its vendor as it is, with the key added here; the answer passes back as it is, and what
//! it cost is read on its way.
//!
//! Bodies are not touched in either direction: prompt caches and signatures of reasoning depend on every byte.

mod headers;
mod listing;
mod mask;
pub(crate) mod price;
mod refusal;
mod usage;
mod vendor;

use crate::serve::Link;
use axum::Router;
use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use futures::Stream;
pub(crate) use listing::list;
pub use listing::{Model, Unlisted};
pub use price::Price;
use std::io;
use std::time::Duration;
use usage::{Format, Meter, Spent};
pub(crate) use vendor::{Backend, Vendor};

/// To reach an upstream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte from an upstream, before its answer begins or within it. There is no bound on the whole answer.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Connections to one upstream that are kept for the next request.
const MAX_IDLE_CONNECTIONS: usize = 32;

pub(crate) fn routes() -> Router<Link> {
    Router::new()
        .route("/openai/v1/{*rest}", any(|link, request| relay(Vendor::OpenAi, link, request)))
        .route("/anthropic/v1/{*rest}", any(|link, request| relay(Vendor::Anthropic, link, request)))
}

/// What asks the upstreams: no redirects, because a key goes to nobody but its vendor; no proxy from the environment,
/// because a person configures where this process connects to.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .build()
}

async fn relay(vendor: Vendor, State(link): State<Link>, request: Request) -> Response {
    // Before anything else, so that an agent falls back to plain HTTP instead of giving up.
    if request.headers().contains_key(UPGRADE) {
        return refusal::upgrade(vendor);
    }
    if !link.grant.models {
        link.ledger.refused("A model was asked, which this session may not.").await;
        return refusal::not_granted(vendor);
    }
    let path = request.uri().path();
    let rest = path.strip_prefix(vendor.prefix()).unwrap_or(path);
    if !vendor.serves(request.method(), rest) {
        let what =
            format!("{} {path} is none of the model requests that pass the gateway.", request.method());
        link.ledger.refused(&what).await;
        return refusal::not_served(vendor, &what);
    }
    let Some(backend) = link.door.backend(vendor) else {
        return refusal::no_key(vendor);
    };
    let redactor = link.door.redactor();
    let Ok(address) = backend.address(rest, request.uri().query()) else {
        return refusal::not_served(vendor, "The address cannot be passed on.");
    };
    let client = match link.door.client().await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "model providers cannot be asked");
            return refusal::unreachable(vendor);
        }
    };
    let (head, body) = request.into_parts();
    let asking = client
        .request(head.method.clone(), address)
        .headers(backend.with_key(headers::request(&head.headers)))
        .body(passing(body))
        .send();
    // So that what an answer costs is known when it ends.
    let (asked, ()) = tokio::join!(asking, link.door.price_lists());
    match asked {
        Ok(answer) => mask::masked(pass_on(vendor, backend.base(), link, answer), redactor),
        Err(error) => {
            let error = error.without_url();
            tracing::warn!(session.id = %link.grant.session, error = %anyhow::Error::from(error), "a model provider was not reached");
            refusal::unreachable(vendor)
        }
    }
}

/// A body of known length keeps its `content-length`, which passes with the other headers.
fn passing(body: Body) -> reqwest::Body {
    if body.is_end_stream() {
        reqwest::Body::default()
    } else {
        reqwest::Body::wrap_stream(body.into_data_stream())
    }
}

fn pass_on(vendor: Vendor, base: String, link: Link, answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), headers::response(answer.headers()));
    let body = match format(status, &headers) {
        Some(format) => Body::from_stream(metered(
            answer,
            Account { link, base, meter: Some(Meter::new(vendor, format)) },
        )),
        None => Body::new(reqwest::Body::from(answer)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// How usage is to be read; `None` where there is none.
fn format(status: StatusCode, headers: &HeaderMap) -> Option<Format> {
    if !status.is_success() {
        return None;
    }
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match content_type.split(';').next()?.trim() {
        "text/event-stream" => Some(Format::Events),
        "application/json" => Some(Format::Document),
        _ => None,
    }
}

/// The body of `answer`, piece by piece as it comes. It ends when the ledger knows what it cost.
fn metered(answer: reqwest::Response, account: Account) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(Some((answer, account)), |flow| async {
        let (mut answer, mut account) = flow?;
        match answer.chunk().await {
            Ok(Some(piece)) => {
                account.read(&piece);
                Some((Ok(piece), Some((answer, account))))
            }
            Ok(None) => {
                account.settle().await;
                None
            }
            Err(error) => {
                account.settle().await;
                let error = error.without_url();
                tracing::debug!(error = %error, "a model's answer broke off");
                Some((Err(io::Error::other("the model provider's answer broke off")), None))
            }
        }
    })
}

/// What one answer costs. A client that leaves before the end is billed for what was seen.
struct Account {
    link: Link,
    /// Where the model was asked.
    base: String,
    /// Gone once it is settled.
    meter: Option<Meter>,
}

impl Account {
    fn read(&mut self, piece: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.read(piece);
        }
    }

    /// Settled by a task of the door's: it happens whether or not anyone still waits for it.
    fn start_settling(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        let spent = self.meter.take()?.finish()?;
        let (ledger, base) = (self.link.ledger.clone(), std::mem::take(&mut self.base));
        let cost_micros = price::price(&self.link.door.prices, &base, &spent);
        let Spent { model, tokens, .. } = spent;
        Some(self.link.door.tasks.spawn(async move { ledger.used(&model, tokens, cost_micros).await }))
    }

    async fn settle(mut self) {
        if let Some(settling) = self.start_settling() {
            let _settled_or_shut_down = settling.await;
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.start_settling();
    }
}
