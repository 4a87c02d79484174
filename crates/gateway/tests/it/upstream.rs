//! A vendor of models, as a real server: it asks for its key, answers in the vendor's shapes, and can die while it speaks.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use lamplight_gateway::{Secret, Tariff, Upstream, Upstreams};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) const KEY: &str = "sk-canary-3b7f9e";

/// What the vendor says next to a request.
pub(crate) enum Answer {
    /// Status, content type, body.
    Whole(u16, &'static str, Bytes),
    /// Pieces of an event stream as they are given; an error kills the connection.
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
}

/// An event stream that a test says piece by piece.
pub(crate) fn streaming() -> (mpsc::Sender<io::Result<Bytes>>, Answer) {
    let (pieces, answer) = mpsc::channel(1);
    (pieces, Answer::Pieces(answer))
}

/// An event stream that comes in pieces of this length.
pub(crate) fn in_pieces(events: &str, length: usize) -> Answer {
    let (pieces, answer) = mpsc::channel(events.len());
    for piece in events.as_bytes().chunks(length) {
        pieces.try_send(Ok(Bytes::copy_from_slice(piece))).unwrap();
    }
    Answer::Pieces(answer)
}

/// A request as it reached the vendor.
pub(crate) struct Received {
    pub(crate) line: String,
    /// `name: value` of each header, in their order.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Bytes,
}

pub(crate) struct Vendor {
    pub(crate) address: String,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

struct Seen {
    /// Whoever asks without it is refused.
    key: &'static str,
    answers: Mutex<Vec<Answer>>,
    received: Mutex<Vec<Received>>,
}

impl Vendor {
    /// Gives the answers one after the other, and refuses what comes after the last.
    pub(crate) async fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::keyed(KEY, answers).await
    }

    /// Likewise, with another key than the others have.
    pub(crate) async fn keyed(key: &'static str, answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        let seen = Arc::new(Seen { key, answers: Mutex::new(answers), received: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _serving: serving }
    }

    /// Reached as each of the vendors, and free.
    pub(crate) fn upstreams(&self) -> Upstreams {
        let at = |base: String| Some(Upstream { base, key: Secret::new(KEY), tariff: Tariff::Free });
        Upstreams {
            openai: at(format!("{}/v1", self.address)),
            anthropic: at(self.address.clone()),
            gemini: at(self.address.clone()),
            compatible: BTreeMap::new(),
            prices: Vec::new(),
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.seen.received.lock().unwrap())
    }
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let key = seen.key;
    let authorized = headers.contains(&format!("authorization: Bearer {key}"))
        || headers.contains(&format!("x-api-key: {key}"))
        || headers.contains(&format!("x-goog-api-key: {key}"));
    let line = format!("{} {}", head.method, head.uri);
    seen.received.lock().unwrap().push(Received { line, headers, body: body.to_bytes() });
    if !authorized {
        return (StatusCode::UNAUTHORIZED, "wrong key").into_response();
    }
    match seen.answers.lock().unwrap().pop() {
        Some(Answer::Whole(status, content_type, body)) => (
            StatusCode::from_u16(status).unwrap(),
            [
                (header::CONTENT_TYPE, content_type),
                (header::RETRY_AFTER, "7"),
                (header::SET_COOKIE, "session=canary"),
                (header::HeaderName::from_static("request-id"), "req_1"),
            ],
            body,
        )
            .into_response(),
        Some(Answer::Pieces(pieces)) => {
            let pieces = futures::stream::unfold(pieces, |mut pieces| async {
                let piece = pieces.recv().await?;
                if piece.is_err() {
                    // What was said before is sent meanwhile.
                    tokio::task::yield_now().await;
                }
                Some((piece, pieces))
            });
            ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::from_stream(pieces))
                .into_response()
        }
        None => (StatusCode::IM_A_TEAPOT, "no answer is left").into_response(),
    }
}
