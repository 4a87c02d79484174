//! Models: a request passes to its vendor as it is, with the key added here; the answer passes back as it is, and what
//! it cost is read on its way.
//!
//! Bodies are not touched in either direction, because prompt caches and signatures of reasoning depend on every byte; but for
//! one thing: a streamed chat is made to say what it cost ([`asking`]), and the client that did not ask is not told ([`unasked`]).

mod admission;
pub(crate) mod asking;
mod estimate;
mod headers;
mod listing;
mod mask;
pub(crate) mod price;
mod refusal;
mod unasked;
mod usage;
mod vendor;

use crate::serve::Link;
use admission::Admission;
use axum::Router;
use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use futures::{Stream, StreamExt};
pub(crate) use listing::list;
pub use listing::{Model, Unlisted};
pub use price::Price;
use std::io;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use unasked::Unasked;
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
        .route("/gemini/v1beta/{*rest}", any(|link, request| relay(Vendor::Gemini, link, request)))
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
    let query = match vendor.query(request.uri().query()) {
        Ok(query) => query,
        Err(name) => {
            let what = format!("{name:?} in the query of a model request does not pass the gateway.");
            link.ledger.refused(&what).await;
            return refusal::not_served(vendor, &what);
        }
    };
    let redactor = link.door.redactor();
    let Ok(address) = backend.address(rest, query.as_deref()) else {
        return refusal::not_served(vendor, "The address cannot be passed on.");
    };
    let client = match link.door.client().await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "model providers cannot be asked");
            return refusal::unreachable(vendor);
        }
    };
    let (is_chat, is_paid) =
        (vendor.has_to_be_asked_for_usage(rest), vendor.is_paid(request.method(), rest));
    let rest = rest.to_owned();
    let (mut head, body) = request.into_parts();
    let (outgoing, admission) = if is_paid {
        let outgoing = match Outgoing::whole(&link, &mut head.headers, body, is_chat).await {
            Ok(outgoing) => outgoing,
            Err(refused) => return refusal::chat(vendor, refused),
        };
        let body = outgoing.body.as_bytes().unwrap_or_default();
        match Admission::of(vendor, &link, &backend, &rest, body).await {
            Ok(admission) => (outgoing, Some(admission)),
            Err(refused) => return *refused,
        }
    } else {
        (Outgoing::as_it_is(body), None)
    };
    let asked = client
        .request(head.method.clone(), address)
        .headers(backend.with_key(headers::request(&head.headers)))
        .body(outgoing.body)
        .send()
        .await;
    drop(outgoing.memory);
    match asked {
        Ok(answer) => {
            let account = admission.map(|admission| Account { link, admission, meter: None });
            mask::masked(pass_on(vendor, account, answer, outgoing.unasked), redactor)
        }
        Err(error) => {
            let error = error.without_url();
            tracing::warn!(session.id = %link.grant.session, error = %anyhow::Error::from(error), "a model provider was not reached");
            refusal::unreachable(vendor)
        }
    }
}

/// What the vendor is sent behind the head of a request.
struct Outgoing {
    body: reqwest::Body,
    /// What will be taken out of the answer again.
    unasked: Option<Unasked>,
    /// Given back once the vendor has the body.
    memory: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    /// A body of known length keeps its `content-length`, which passes with the other headers.
    fn as_it_is(body: Body) -> Self {
        let body = if body.is_end_stream() {
            reqwest::Body::default()
        } else {
            reqwest::Body::wrap_stream(body.into_data_stream())
        };
        Self { body, unasked: None, memory: None }
    }

    /// All of it has arrived. A chat is made to say what it used.
    async fn whole(
        link: &Link,
        headers: &mut HeaderMap,
        body: Body,
        is_chat: bool,
    ) -> Result<Self, asking::Refused> {
        if headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .any(|name| !name.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(asking::Refused::Compressed);
        }
        let chat = asking::read(link, body, is_chat).await?;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(chat.body.len()));
        let unasked = chat.asked.then(Unasked::default);
        Ok(Self { body: chat.body.into(), unasked, memory: Some(chat.memory) })
    }
}

fn pass_on(
    vendor: Vendor,
    account: Option<Account>,
    answer: reqwest::Response,
    unasked: Option<Unasked>,
) -> Response {
    let (status, mut headers) = (answer.status(), headers::response(answer.headers()));
    let body = match format(status, &headers).zip(account) {
        Some((format, mut account)) => {
            let unasked = unasked.filter(|_| format == Format::Events);
            if unasked.is_some() {
                headers.remove(CONTENT_LENGTH);
            }
            account.meter = Some(Meter::new(vendor, format));
            Body::from_stream(metered(Passing { answer, account, unasked }))
        }
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
        "application/json" => Some(Format::Objects),
        _ => None,
    }
}

/// An answer on its way.
struct Passing {
    answer: reqwest::Response,
    account: Account,
    unasked: Option<Unasked>,
}

/// How far an answer has come.
enum Flow {
    Passing(Box<Passing>),
    /// The client has all that was said, and is to be told that this was not all.
    Broken,
    Ended,
}

/// The answer's body, piece by piece as it comes. It ends when the ledger knows what it cost.
fn metered(passing: Passing) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = futures::stream::unfold(Flow::Passing(Box::new(passing)), |flow| async {
        match flow {
            Flow::Passing(mut passing) => match passing.answer.chunk().await {
                Ok(Some(piece)) => {
                    passing.account.read(&piece);
                    let piece = match &mut passing.unasked {
                        Some(unasked) => unasked.take_out(piece),
                        None => piece,
                    };
                    Some((Ok(piece), Flow::Passing(passing)))
                }
                Ok(None) => Some((Ok(passing.end().await), Flow::Ended)),
                Err(error) => {
                    let error = error.without_url();
                    tracing::debug!(error = %error, "a model's answer broke off");
                    Some((Ok(passing.end().await), Flow::Broken))
                }
            },
            Flow::Broken => {
                // What was given before is sent meanwhile; with the error it would be dropped.
                tokio::task::yield_now().await;
                Some((Err(io::Error::other("the model provider's answer broke off")), Flow::Ended))
            }
            Flow::Ended => None,
        }
    });
    pieces.filter(|piece| {
        let is_nothing = piece.as_ref().is_ok_and(Bytes::is_empty);
        std::future::ready(!is_nothing)
    })
}

impl Passing {
    /// Settles, and gives what was held back.
    async fn end(self) -> Bytes {
        self.account.settle().await;
        self.unasked.map(|mut unasked| unasked.rest()).unwrap_or_default()
    }
}

/// What one answer costs. A client that leaves before the end is billed for what was seen.
struct Account {
    link: Link,
    admission: Admission,
    /// Gone once it is settled; none where there is nothing to read.
    meter: Option<Meter>,
}

impl Account {
    fn read(&mut self, piece: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.read(piece);
        }
    }

    /// Settled by a task of the door's: it happens whether or not anyone still waits for it. What was set aside is given back after
    /// that, with this.
    fn start_settling(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        let spent = self.meter.take()?.finish()?;
        let ledger = self.link.ledger.clone();
        let (held, cost_micros) = (self.admission.reservation.take(), self.admission.price(&spent));
        let Spent { model, tokens, .. } = spent;
        Some(self.link.door.tasks.spawn(async move {
            ledger.used(&model, tokens, cost_micros).await;
            drop(held);
        }))
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
