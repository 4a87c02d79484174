//! The same door over TCP, for those who come by no link of ours: who asks is known by a token.
//!
//! ```text
//! connection ─ its first words ─┬─ CONNECT, http://… ─▶ token in Proxy-Authorization, else 407 ─▶ web
//!                               └─ anything else     ─▶ HTTP: token in each request, else 401 ─▶ models, git
//! ```
//! A token is where each kind of client puts its key or password. It ends here: nothing that is asked further on has it.

use crate::begun::Begun;
use crate::models::Vendor;
use crate::serve::MAX_BUFFER_BYTES;
use crate::web::{self, WayOut};
use crate::{Gateway, Grant, Ledger, models};
use async_trait::async_trait;
use axum::Router;
use axum::http::header::{AUTHORIZATION, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections that are open at a time; further ones wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 1024;
/// For the first words, and for each head of a request: nobody is known before that.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// After a connection could not be accepted, as when there are no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// Where a token may be. Where several are, the first counts.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, X_API_KEY, X_GOOG_API_KEY];

/// What people read who are not let in.
const REFUSED: &str =
    "The token is missing, is not one of this Lamplight server, or its session has no running sandbox.";

/// Who knows the tokens.
#[async_trait]
pub trait Doorkeeper: Send + Sync {
    /// Who has this token; `None` where nobody has, or not any more.
    async fn admit(&self, token: &str) -> Option<Asker>;
}

/// One that was let in.
#[derive(Clone)]
pub struct Asker {
    pub grant: Arc<Grant>,
    pub ledger: Arc<dyn Ledger>,
    pub way_out: WayOut,
    /// Cancelled when the token is worth nothing any more; what is open is cut then.
    pub gone: CancellationToken,
}

impl Gateway {
    /// Serves whoever connects to `listener` and has a token, until it is dropped, which ends every connection.
    pub async fn listen(&self, listener: TcpListener, doorkeeper: Arc<dyn Doorkeeper>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        let accept = async || {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        loop {
            tokio::select! {
                accepted = accept() => match accepted {
                    (Ok((connection, _)), place) => {
                        let (door, doorkeeper) = (self.clone(), doorkeeper.clone());
                        connections.spawn(async move {
                            let _place = place;
                            if let Err(error) = answer(door, doorkeeper, connection).await {
                                tracing::debug!(error = format!("{error:#}"), "a connection to the gateway ended early");
                            }
                        });
                    }
                    (Err(error), _) => {
                        tracing::warn!(%error, "a connection to the gateway is not accepted");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn answer(gateway: Gateway, doorkeeper: Arc<dyn Doorkeeper>, stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let first = tokio::time::timeout(HEAD_TIMEOUT, Begun::read(stream, is_known)).await;
    let Ok(begun) = first else { return Ok(()) };
    let mut begun = begun?;
    if kind(begun.words()) == Some(Kind::Proxy) {
        return Ok(proxy(&doorkeeper, &mut begun).await?);
    }
    serve(gateway, doorkeeper, begun).await
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Proxy,
    Door,
}

/// No method is longer.
const LONGEST_METHOD: usize = 32;
const ABSOLUTE: &[u8] = b"http://";

/// `None`: more has to be read.
fn kind(words: &[u8]) -> Option<Kind> {
    let Some(space) = words.iter().position(|byte| *byte == b' ') else {
        return (words.len() > LONGEST_METHOD).then_some(Kind::Door);
    };
    let (method, target) = (&words[..space], &words[space + 1..]);
    match target.get(..ABSOLUTE.len()) {
        _ if method == b"CONNECT" => Some(Kind::Proxy),
        Some(start) if start.eq_ignore_ascii_case(ABSOLUTE) => Some(Kind::Proxy),
        Some(_) => Some(Kind::Door),
        None => target.contains(&b'\n').then_some(Kind::Door),
    }
}

fn is_known(words: &[u8]) -> bool {
    kind(words).is_some()
}

async fn proxy(doorkeeper: &Arc<dyn Doorkeeper>, begun: &mut Begun) -> io::Result<()> {
    let Some(request) = web::Asked::read(begun).await? else { return Ok(()) };
    let token = request.authorization().and_then(token);
    let asker = match token {
        Some(token) => doorkeeper.admit(&token).await,
        None => None,
    };
    let Some(asker) = asker else { return request.unauthorized(begun, REFUSED).await };
    tokio::select! {
        served = request.serve(&asker.way_out, begun) => {
            if served.is_err() {
                // What broke does not look like an end.
                begun.stream().set_zero_linger()?;
            }
            served
        }
        () = asker.gone.cancelled() => begun.stream().set_zero_linger(),
    }
}

/// The one that the last request of a connection was from.
#[derive(Clone)]
struct Known {
    token: String,
    gone: CancellationToken,
    /// Answers with its grant.
    router: TowerToHyperService<Router>,
}

struct Connection {
    gateway: Gateway,
    doorkeeper: Arc<dyn Doorkeeper>,
    known: watch::Sender<Option<Known>>,
}

async fn serve(gateway: Gateway, doorkeeper: Arc<dyn Doorkeeper>, begun: Begun) -> anyhow::Result<()> {
    let (known, mut last) = watch::channel(None);
    let connection = Arc::new(Connection { gateway, doorkeeper, known });
    let service = service_fn(move |request| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(connection.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(begun), service);
    tokio::select! {
        served = served => match served {
            Err(error) if !error.is_timeout() => Err(error.into()),
            // A client that says nothing more is not news.
            _ => Ok(()),
        },
        () = is_gone(&mut last) => Ok(()),
    }
}

/// Resolves when the last one that was let in is so no more.
async fn is_gone(last: &mut watch::Receiver<Option<Known>>) {
    loop {
        let known = last.borrow_and_update().clone();
        let gone = async {
            match known {
                Some(known) => known.gone.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = gone => return,
            changed = last.changed() => if changed.is_err() { std::future::pending::<()>().await },
        }
    }
}

impl Connection {
    async fn answer(&self, mut request: Request<Incoming>) -> Response {
        let offered = CREDENTIALS.iter().find_map(|name| request.headers().get(name));
        let token = offered.and_then(|value| token(value.to_str().ok()?));
        let router = match token {
            Some(token) => self.admit(token).await,
            None => None,
        };
        let Some(router) = router else { return unauthorized(request.uri().path()) };
        take_off(request.headers_mut());
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn admit(&self, token: String) -> Option<TowerToHyperService<Router>> {
        let same = self.known.borrow().as_ref().filter(|known| known.token == token).cloned();
        if let Some(known) = same.filter(|known| !known.gone.is_cancelled()) {
            return Some(known.router);
        }
        let Asker { grant, ledger, gone, .. } = self.doorkeeper.admit(&token).await?;
        let router = TowerToHyperService::new(self.gateway.router(grant, ledger));
        self.known.send_replace(Some(Known { token, gone, router: router.clone() }));
        Some(router)
    }
}

/// The token in the value of a header: `Bearer` and it, `Basic` and whoever with it as password, or it alone.
fn token(value: &str) -> Option<String> {
    let Some((scheme, rest)) = value.trim().split_once(' ') else { return Some(value.trim().to_owned()) };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(rest).ok())??;
    let (_whoever, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

fn take_off(headers: &mut HeaderMap) {
    for name in CREDENTIALS.iter().chain([&PROXY_AUTHORIZATION]) {
        headers.remove(name);
    }
}

fn unauthorized(path: &str) -> Response {
    match Vendor::of_path(path) {
        Some(vendor) => models::unauthorized(vendor, REFUSED),
        // Git asks again with its password then, and not before.
        None => {
            let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"lamplight\"")];
            (StatusCode::UNAUTHORIZED, challenge, format!("{REFUSED}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_say_what_a_connection_is_for() {
        for (words, expected) in [
            ("", None),
            ("GET", None),
            ("GET http:/", None),
            ("CONNECT ", Some(Kind::Proxy)),
            ("GET HTTP://a.test/ HTTP/1.1\r\n", Some(Kind::Proxy)),
            ("GET /openai/v1", Some(Kind::Door)),
            ("GET /\r\n", Some(Kind::Door)),
            ("connect a.test:443 HTTP/1.1", Some(Kind::Door)),
            ("\u{5}\u{1}\u{0}", None),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Some(Kind::Door)),
        ] {
            assert_eq!(kind(words.as_bytes()), expected, "{words:?}");
        }
    }

    #[test]
    fn a_token_is_where_clients_put_keys() {
        for value in ["t", "Bearer t", "bearer  t ", "Basic Z2l0OnQ=", "basic OnQ="] {
            assert_eq!(token(value).as_deref(), Some("t"), "{value}");
        }
        for value in ["Basic", "Basic ???", "Basic dA==", "Digest t"] {
            assert_ne!(token(value).as_deref(), Some("t"), "{value}");
        }
    }
}
