//! Requests for what another server has, a session or a sandbox that it has lent: passed on to that server, and its answer passed back,
//! WebSockets too.
//!
//! ```text
//! browser ──▶ this server ── is the session here? ─┬─ yes, or it is nobody's ─▶ our own routes
//!                                                  └─ no ─▶ the server that has it, over HTTP, with a word that only servers of
//!                                                           this database can make ─▶ its own routes, which ask who it is
//! ```
//! Who asks is found out where the session is: people and tokens are in the database that both share. What is only read from the store is answered
//! here when the other does not answer. A new session begins at another server if this one has no place for it and that one has.
//! What each server has a part of is asked of all of them instead (`http/all_servers.rs`).

use super::all_servers::Asking;
use super::audit::Peer;
use super::problem::Problem;
use super::sessions::create::IDEMPOTENCY_KEY;
use super::{App, BODY_LIMIT, guard, queue};
use crate::preview::{PreviewHost, of_connection};
use crate::random;
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::{Authority, PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lamplight_domain::SessionId;
use lamplight_engine::{FILES, Neighbour, Whereabouts};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// On a request between servers: that it is one.
static PASSED_ON: HeaderName = HeaderName::from_static("lamplight-passed-on");
/// For a connection to another server.
const CONNECT: Duration = Duration::from_secs(3);
/// From a request to the head of its answer: longer than any server takes.
const ANSWER: Duration = Duration::from_secs(90);
/// For a whole file from another server.
const FILE: Duration = Duration::from_secs(30);
/// For the body of a request that is looked into.
const BODY: Duration = Duration::from_secs(60);
/// Where sessions are.
const SESSIONS: &str = "/api/v1/sessions/";
/// Where sandboxes are that are lent.
const SANDBOXES: &str = "/api/v1/sandboxes/";

/// What a request is for that one server has.
enum Subject {
    Session(SessionId),
    Lent(SessionId),
    /// A session that there is not yet, and that belongs to none that there is.
    New,
}

/// On a request: another server has let it in at its own door.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedOn;

/// In front of everything that could answer for a session: goes on here, or is answered by the server that has it.
pub(super) async fn divert(app: &App, mut request: Request) -> ControlFlow<Response, Request> {
    let Some(word) = request.headers_mut().remove(&PASSED_ON) else {
        let (subject, request) = subject(app, request).await;
        let whereabouts = match subject {
            Some(Subject::Session(session)) => app.engine.whereabouts(&session).await,
            Some(Subject::Lent(sandbox)) => app.engine.whereabouts_of_lent(&sandbox).await,
            Some(Subject::New) => return begin(app, request).await,
            None => Whereabouts::Here,
        };
        return match whereabouts {
            Whereabouts::Here => ControlFlow::Continue(request),
            Whereabouts::At { server, address } => pass_on(app, (server, &address), request).await,
        };
    };
    let asked = (request.method().as_str(), path(request.uri()));
    match word.to_str().ok().and_then(|word| app.engine.passed_on_from(word, asked)) {
        // A path of a preview is whatever its program has; the server that passed it on has let nobody in to our files.
        Some(_) if asked.1.starts_with(FILES) && preview(app, request.headers()).is_none() => {
            ControlFlow::Break(file(app, asked.1).await)
        }
        Some(peer) => {
            // It is not passed on once more: who does not have the session says so.
            request.extensions_mut().insert(PassedOn);
            request.extensions_mut().insert(Peer(peer));
            ControlFlow::Continue(request)
        }
        None => ControlFlow::Break(refused().into_response()),
    }
}

/// What a request is for; the request as it was.
async fn subject(app: &App, request: Request) -> (Option<Subject>, Request) {
    if app.engine.server() == 0 {
        return (None, request);
    }
    if let Some(host) = preview(app, request.headers()) {
        return (Some(Subject::Session(host.session)), request);
    }
    let path = request.uri().path();
    if request.method() == Method::POST && path == SESSIONS.trim_end_matches('/') {
        return begun(request).await;
    }
    let session = || path.strip_prefix(SESSIONS)?.split('/').next()?.parse().ok().map(Subject::Session);
    let lent = || path.strip_prefix(SANDBOXES)?.to_ascii_uppercase().parse().ok().map(Subject::Lent);
    let named = session().or_else(lent);
    (named, request)
}

/// Of what a new session is a fork, if it is to be one: it begins with files that are where that session is. Or whose child it is: that session
/// has to take it.
async fn begun(request: Request) -> (Option<Subject>, Request) {
    let (parts, body) = request.into_parts();
    // What is too long is refused like what is broken, by who reads it next.
    let Ok(Ok(body)) = tokio::time::timeout(BODY, to_bytes(body, BODY_LIMIT)).await else {
        return (None, Request::from_parts(parts, Body::empty()));
    };
    let subject = serde_json::from_slice::<Begun>(&body).ok().and_then(|new| {
        match new.fork.map(|origin| origin.session).or(new.parent) {
            Some(origin) => origin.parse().ok().map(Subject::Session),
            None => Some(Subject::New),
        }
    });
    (subject, Request::from_parts(parts, Body::from(body)))
}

/// At another server, if this one has no place and that one has. What that one refuses is judged here, where it is waited for a place then; by its key
/// it is made once, whatever becomes of an answer.
async fn begin(app: &App, request: Request) -> ControlFlow<Response, Request> {
    if app.engine.places().has_place || guard::refuse_strangers(app, request.headers()).is_err() {
        return ControlFlow::Continue(request);
    }
    let (mut parts, body) = request.into_parts();
    let Some(there) = queue::with_place(app, &Asking::by(&parts)).await else {
        return ControlFlow::Continue(Request::from_parts(parts, body));
    };
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    if !parts.headers.contains_key(IDEMPOTENCY_KEY) {
        let Some(key) = random::text().ok().and_then(|key| HeaderValue::try_from(key).ok()) else {
            return ControlFlow::Continue(Request::from_parts(parts, Body::from(body)));
        };
        parts.headers.insert(IDEMPOTENCY_KEY, key);
    }
    let passed_on = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let answer = tokio::select! {
        answer = ask(app, (there.number, &there.address), passed_on) => answer,
        () = app.engine.is_gone(there.number) => None,
    };
    match answer {
        Some(answer) if answer.status().is_success() => ControlFlow::Break(answer),
        _ => ControlFlow::Continue(Request::from_parts(parts, Body::from(body))),
    }
}

/// As much of a request for a new session as says where it goes.
#[derive(Deserialize)]
struct Begun {
    fork: Option<Origin>,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct Origin {
    session: String,
}

fn preview(app: &App, headers: &HeaderMap) -> Option<PreviewHost> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    PreviewHost::parse(host, app.config.server.preview_domain.as_deref())
}

async fn pass_on(
    app: &App,
    (server, address): (i64, &str),
    mut request: Request,
) -> ControlFlow<Response, Request> {
    // As it would be judged here.
    if preview(app, request.headers()).is_none()
        && let Err(problem) = guard::refuse_strangers(app, request.headers())
    {
        return ControlFlow::Break(problem.into_response());
    }
    let Some(word) = word(app, server, &request) else {
        return ControlFlow::Break(without_key().into_response());
    };
    let sender = match connect(app, address).await {
        Ok(sender) => sender,
        Err(why) => {
            tracing::warn!(
                "the server at {address:?}, which has what is asked for, cannot be reached: {why}"
            );
            // What is in the store can be told without it.
            let is_read = request.method() == Method::GET && !request.headers().contains_key(header::UPGRADE);
            return match is_read {
                true => ControlFlow::Continue(request),
                false => ControlFlow::Break(unreachable(address).into_response()),
            };
        }
    };
    request.headers_mut().insert(PASSED_ON.clone(), word);
    // One that is frozen takes connections still.
    let answer = tokio::select! {
        answer = forward(app, server, sender, request) => answer,
        () = app.engine.is_gone(server) => None,
    };
    ControlFlow::Break(answer.unwrap_or_else(|| unreachable(address).into_response()))
}

/// What another server answers to a request of ours, as to one that is passed on; `None` where it does not.
pub(super) async fn ask(app: &App, (server, address): (i64, &str), mut request: Request) -> Option<Response> {
    let word = word(app, server, &request)?;
    let sender = connect(app, address).await.ok()?;
    request.headers_mut().insert(PASSED_ON.clone(), word);
    forward(app, server, sender, request).await
}

/// What shows the other server that this is one of its own.
fn word(app: &App, server: i64, request: &Request) -> Option<HeaderValue> {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let word = app.engine.word_for(server, peer, (request.method().as_str(), path(request.uri())))?;
    HeaderValue::from_str(&word).ok()
}

fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", PathAndQuery::as_str)
}

async fn connect(app: &App, address: &str) -> std::io::Result<SendRequest<Body>> {
    let wrong = || std::io::Error::other("it has not said where it is reached (database.server_address)");
    let authority: Authority =
        address.strip_prefix("http://").and_then(|rest| rest.parse().ok()).ok_or_else(wrong)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let place = (host, authority.port_u16().unwrap_or(80));
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(place)).await??;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    spawn(app, async move {
        // How it ends is seen by the answer.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// `None` where no answer came.
async fn forward(
    app: &App,
    server: i64,
    mut sender: SendRequest<Body>,
    mut request: Request,
) -> Option<Response> {
    let place = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(place);
    *request.version_mut() = Version::HTTP_11;
    let upgrade =
        of_connection(request.headers_mut()).and_then(|_| request.extensions_mut().remove::<OnUpgrade>());
    let answer = tokio::time::timeout(ANSWER, sender.send_request(request)).await;
    let mut response = answer.ok()?.ok()?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let (ours, theirs) = (upgrade?, hyper::upgrade::on(&mut response));
        let engine = app.engine.clone();
        spawn(app, async move {
            let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
            let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
            tokio::select! {
                // Which of the two went first is seen by the other.
                _ = copy_bidirectional(&mut ours, &mut theirs) => {}
                () = engine.is_gone(server) => {}
            }
        });
        return Some(response.map(|_| Body::empty()));
    }
    of_connection(response.headers_mut());
    Some(response.map(Body::new))
}

/// Until it ends, or the server does.
fn spawn(app: &App, work: impl Future<Output = ()> + Send + 'static) {
    let going_away = app.going_away.clone();
    app.streams.spawn(async move {
        tokio::select! {
            () = work => {}
            () = going_away.cancelled() => {}
        }
    });
}

fn unreachable(address: &str) -> Problem {
    let detail = format!("what is asked for is at the server {address}, which does not answer");
    let what_to_do = "Try again: if that server is gone, another has its sessions within 15 seconds.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "session_moved", detail, what_to_do)
}

/// A file that another server asks for.
async fn file(app: &App, path: &str) -> Response {
    let found = app.engine.file_here(path.trim_start_matches(FILES)).await;
    found.map_or_else(|error| Problem::from(error).into_response(), IntoResponse::into_response)
}

/// Asks other servers for what is theirs.
pub(crate) struct OverHttp(reqwest::Client);

impl OverHttp {
    /// # Errors
    /// When there can be no client.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT).timeout(FILE);
        Ok(Self(client.build()?))
    }

    async fn ask(&self, address: &str, path: &str, word: &str) -> reqwest::Result<Bytes> {
        let asked = self.0.get(format!("{address}{path}")).header(&PASSED_ON, word);
        asked.send().await?.error_for_status()?.bytes().await
    }
}

#[async_trait]
impl Neighbour for OverHttp {
    async fn get(&self, address: &str, path: &str, word: &str) -> Option<Bytes> {
        self.ask(address, path, word).await.ok()
    }
}

fn without_key() -> Problem {
    let detail =
        "what is asked for is at another server, which would not know that this one is of the same database";
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "session_moved",
        detail,
        "Give all servers the same sealing key; see docs/several-servers.md.",
    )
}

fn refused() -> Problem {
    let detail = "this was not passed on by a server of the same database, or not for this one";
    let what_to_do = "Ask without the header lamplight-passed-on; between servers, set their clocks right.";
    Problem::new(StatusCode::FORBIDDEN, "not_passed_on", detail, what_to_do)
}
