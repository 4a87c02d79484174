//! Models: a request passes to its vendor as it is, with the key added here; the answer passes back as it is, and what
//! it cost is read on its way.
//!
//! Bodies are not touched in either direction, because prompt caches and signatures of reasoning depend on every byte; but for
//! one thing: a streamed chat is made to say what it cost ([`asking`]), and the client that did not ask is not told ([`unasked`]).

mod account;
mod admission;
pub(crate) mod asking;
mod estimate;
mod headers;
mod listing;
mod mask;
pub(crate) mod price;
mod refusal;
mod text;
mod unasked;
mod usage;
mod vendor;

use crate::serve::Link;
use crate::{CompatibleName, UpstreamName};
use account::{Account, Metered};
use admission::Admission;
use axum::Router;
use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::any;
use lamplight_domain::Redactor;
pub(crate) use listing::list;
pub use listing::{Model, Unlisted};
pub use price::Price;
pub(crate) use refusal::unauthorized;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use unasked::Unasked;
use usage::{Format, Meter};
pub(crate) use vendor::{Backend, Vendor};
use vendor::{COMPATIBLE, prefix};

/// To reach an upstream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte from an upstream, before its answer begins or within it. There is no bound on the whole answer.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Connections to one upstream that are kept for the next request.
const MAX_IDLE_CONNECTIONS: usize = 32;

pub(crate) fn routes() -> Router<Link> {
    Router::new()
        .route("/openai/v1/{*rest}", any(|link, request| relay(UpstreamName::OpenAi, link, request)))
        .route("/anthropic/v1/{*rest}", any(|link, request| relay(UpstreamName::Anthropic, link, request)))
        .route("/gemini/v1beta/{*rest}", any(|link, request| relay(UpstreamName::Gemini, link, request)))
        .route("/compatible/{name}/v1/{*rest}", any(compatible))
}

/// What asks the upstreams: no redirects, because a key goes to nobody but its vendor; no proxy from the environment,
/// because a person configures where this process connects to.
pub(crate) fn client(silence: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(silence)
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .build()
}

/// The name is in the path, which is taken as it came: what is written in another way is no name.
async fn compatible(State(link): State<Link>, request: Request) -> Response {
    let rest = request.uri().path().strip_prefix(COMPATIBLE).unwrap_or_default();
    let Some(Ok(name)) = rest.split_once('/').map(|(name, _)| name.parse::<CompatibleName>()) else {
        let what = format!("{} names no upstream.", request.uri().path());
        link.ledger.refused(&what).await;
        return refusal::not_served(Vendor::OpenAi, &what);
    };
    relay(UpstreamName::Compatible(name), State(link), request).await
}

async fn relay(name: UpstreamName, State(link): State<Link>, request: Request) -> Response {
    let vendor = Vendor::from(&name);
    // Before anything else, so that an agent falls back to plain HTTP instead of giving up.
    if request.headers().contains_key(UPGRADE) {
        return refusal::upgrade(vendor);
    }
    if !link.grant.models {
        link.ledger.refused("A model was asked, which this session may not.").await;
        return refusal::not_granted(vendor);
    }
    let path = request.uri().path();
    let rest = path.strip_prefix(&*prefix(&name)).unwrap_or(path);
    if !vendor.serves(request.method(), rest) {
        let what =
            format!("{} {path} is none of the model requests that pass the gateway.", request.method());
        link.ledger.refused(&what).await;
        return refusal::not_served(vendor, &what);
    }
    let Some(backend) = link.door.backend(&name) else {
        return refusal::no_key(&name);
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
    let (is_chat, is_paid) = (vendor.has_to_be_asked_for_usage(rest), vendor.is_paid(request.method(), rest));
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
    // From here on somebody may have to pay, whoever leaves.
    let account = admission.map(|admission| Account::open(link.clone(), admission));
    let asked = client
        .request(head.method.clone(), address)
        .headers(backend.with_key(headers::request(&head.headers)))
        .body(outgoing.body)
        .send()
        .await;
    drop(outgoing.memory);
    match asked {
        Ok(answer) => {
            if let Some(what) = backend.wants_a_key(answer.status().as_u16()) {
                link.ledger.refused(&what).await;
            }
            pass_on(vendor, account, answer, outgoing.unasked, redactor)
        }
        Err(error) => {
            account.into_iter().for_each(Account::nothing_was_used);
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
    redactor: Arc<Redactor>,
) -> Response {
    let (status, mut headers) = (answer.status(), headers::response(answer.headers()));
    mask::headers(&mut headers, &redactor);
    let body = match account {
        Some(account) if status.is_success() => {
            let format = format(&headers);
            let unasked = unasked.filter(|_| format == Format::Events);
            if unasked.is_some() {
                headers.remove(CONTENT_LENGTH);
            }
            let account = account.answered(Meter::new(vendor, format));
            mask::body(Metered::new(answer, account, unasked), redactor)
        }
        Some(account) => {
            account.nothing_was_used();
            mask::body(Body::new(reqwest::Body::from(answer)).into_data_stream(), redactor)
        }
        None => mask::body(Body::new(reqwest::Body::from(answer)).into_data_stream(), redactor),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// How usage is to be read.
fn format(headers: &HeaderMap) -> Format {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type.and_then(|value| value.split(';').next()).map(str::trim) {
        Some("text/event-stream") => Format::Events,
        Some("application/json") => Format::Objects,
        Some(_) | None => Format::Unknown,
    }
}
