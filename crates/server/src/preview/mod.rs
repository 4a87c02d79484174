//! What programs in a sandbox serve, for the browser of a person: each port of each session on an origin of its own.
//!
//! ```text
//! browser ── our page's …/ports/3000/open ──▶ on to an address that counts for a minute
//! browser ── that address, at p3000-<session>.localhost ──▶ a cookie of this host alone, and on to the program's own page
//! browser ── whatever the program's page asks for ──▶ guest ── 127.0.0.1:3000 inside
//! ```
//! What is served here was written by an agent. So nothing here answers under our own name, nothing of ours is sent with it, and our
//! page, which the browser takes for another site, refuses what it asks for (`http/guard.rs`).

mod answer;
mod at_work;
mod entrance;
mod forward;
mod headers;
mod host;

pub(crate) use forward::forward;
pub(crate) use headers::{frame_ancestors, of_connection};
pub use host::PreviewHost;

use crate::http::App;
use crate::http::access::{Caller, Open, may_use};
use crate::places::Places;
use at_work::Worker;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_domain::{Role, SessionId, Timestamp};
use lamplight_engine::{CODE_PORT, Pass, PassKind, Passes};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Connections to programs of one session, at once.
const CONNECTIONS: usize = 48;
/// How long an address for an entrance counts.
const ENTRANCE: Duration = Duration::from_secs(60);
/// How long who is in stays in.
const STAY: Duration = Duration::from_secs(12 * 60 * 60);

/// What all previews share.
pub struct Previews {
    passes: Passes,
    places: Places,
}

impl Previews {
    /// That are entered with these.
    pub fn new(passes: Passes) -> Self {
        Self { passes, places: Places::new(CONNECTIONS) }
    }

    /// The path that lets a browser in to this host for a minute; `by` is what its person has signed in with.
    pub fn entrance(
        &self,
        host: &PreviewHost,
        by: Option<String>,
        now: Timestamp,
    ) -> std::io::Result<String> {
        let pass = self.pass(host, PassKind::Entrance, by, now, ENTRANCE)?;
        Ok(format!("{}?pass={pass}", entrance::PATH))
    }

    /// For one more connection to programs of this session, until it is dropped; `None` when too much is open.
    pub(crate) async fn place(&self, session: &SessionId) -> Option<OwnedSemaphorePermit> {
        self.places.take(session).await
    }

    fn pass(
        &self,
        host: &PreviewHost,
        kind: PassKind,
        by: Option<String>,
        now: Timestamp,
        time: Duration,
    ) -> std::io::Result<String> {
        let until = now.plus_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.passes.issue(&Pass { session: host.session.clone(), port: host.port, kind, until, by })
    }

    fn read(&self, text: &str, kind: PassKind, host: &PreviewHost, now: Timestamp) -> Option<Pass> {
        let pass = self.passes.read(text, kind, now);
        pass.filter(|pass| pass.session == host.session && pass.port == host.port)
    }
}

/// Answers what is for a preview; all else is for our own routes, which never see this.
pub(crate) async fn divert(app: &App, request: Request) -> ControlFlow<Response, Request> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| PreviewHost::parse(host, app.config.server.preview_domain.as_deref())) {
        Some(host) => ControlFlow::Break(headers::protect(app, answer(app, &host, request).await)),
        None => ControlFlow::Continue(request),
    }
}

async fn answer(app: &App, host: &PreviewHost, request: Request) -> Response {
    if request.uri().path() == entrance::PATH {
        return entrance::handle(app, host, &request);
    }
    let now = crate::clock::now();
    let pass = entrance::passes(request.headers())
        .find_map(|pass| app.previews.read(pass, PassKind::Stay, host, now));
    let Some(caller) = caller(app, host, pass).await else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "This preview is entered from its session",
            "Open it again under Ports on the session's page.",
        );
    };
    if !is_asked_for_here(request.method(), request.headers()) {
        return refused(StatusCode::FORBIDDEN, "Another site asked for this", "Open the preview itself.");
    }
    let Some(place) = app.previews.place(&host.session).await else {
        let what_to_do = "Close what is not needed of it, or try again.";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "Too much is open of this session", what_to_do);
    };
    // Who loads a page is there; what a page does by itself, such as asking again and again, is nobody.
    let is_a_person = fetch(request.headers(), "sec-fetch-mode") == Some("navigate");
    let Ok(person) = caller.0.person(app).await else {
        return refused(StatusCode::UNAUTHORIZED, "Nobody is signed in", "Sign in again.");
    };
    let by = is_a_person.then(|| person.name.clone());
    match app.engine.dial(&host.session, host.port, by).await {
        Ok(stream) => {
            let worker = (host.port == CODE_PORT).then(|| Worker::new(app, &host.session, person.name));
            forward(app, &caller, stream, request, place, worker).await
        }
        Err(error) => {
            let problem = crate::http::problem::Problem::from(error);
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            refused(status, &problem.detail, &problem.what_to_do)
        }
    }
}

/// Whose pass it is, if they may still go in.
async fn caller(app: &App, host: &PreviewHost, pass: Option<Pass>) -> Option<(Caller, Open)> {
    let pass = pass?;
    if !app.config.auth.required {
        return Some((Caller::Solo, Open::Everything));
    }
    let known = app.engine.known(&pass.by?).await.ok()??;
    let is_enough = known.person.role >= Role::Member;
    let caller = Caller::Known(Arc::new(known));
    let view = app.engine.view(&host.session).await.ok()?;
    (is_enough && may_use(app, &caller, &view.repository).await.is_ok())
        .then_some((caller, Open::Steer(view.repository)))
}

/// Other sites may lead here, and no more: neither ask in the name of who is in, nor listen in on a WebSocket.
fn is_asked_for_here(method: &Method, headers: &HeaderMap) -> bool {
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let is_own = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(own))
    };
    if headers.contains_key(header::UPGRADE) {
        return origin.is_none_or(is_own);
    }
    let leads_here = fetch(headers, "sec-fetch-mode") == Some("navigate") && method.is_safe();
    match fetch(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => true,
        Some(_) => leads_here,
        None => origin.is_none_or(is_own),
    }
}

fn fetch<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// For people: this is read in a browser.
fn refused(status: StatusCode, what: &str, what_to_do: &str) -> Response {
    let text = format!("{what}. {what_to_do}\n");
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], Body::from(text)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_may_lead_here_and_no_more() {
        let check = |method: Method, given: &[(&'static str, &'static str)], expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("p1-a.localhost:7410"));
            for (name, value) in given {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_asked_for_here(&method, &headers), expected, "{method} {given:?}");
        };
        let own = ("origin", "http://p1-a.localhost:7410");
        let other = ("origin", "http://evil.example");
        let (cross, upgrade) = (("sec-fetch-site", "cross-site"), ("upgrade", "websocket"));
        check(Method::GET, &[], true);
        check(Method::POST, &[own], true);
        check(Method::POST, &[other], false);
        check(Method::GET, &[upgrade, own], true);
        check(Method::GET, &[upgrade, other], false);
        check(Method::GET, &[cross], false);
        check(Method::GET, &[cross, ("sec-fetch-mode", "navigate")], true);
        check(Method::POST, &[cross, ("sec-fetch-mode", "navigate")], false);
        check(Method::GET, &[("sec-fetch-site", "same-site")], false);
        check(Method::POST, &[("sec-fetch-site", "same-origin"), own], true);
    }
}
