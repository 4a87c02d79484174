//! The server's one handler. Routes are matched by the end of the path, so that every agent's idea of a base URL,
//! and a gateway's prefix, lead here.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::stream;
use serde_json::json;

use crate::asked::{Asked, Place, fingerprint};
use crate::ledger::{Ledger, Record};
use crate::play::{Played, play};
use crate::protocol::{Misuse, Protocol, token_count};
use crate::reply::{CREATED, Frame, Reply};
use crate::script::{FaultKind, Script};

/// The longest request read; vendors refuse at about this size too.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// How long a request that is never answered is held.
const HANG_LIMIT: Duration = Duration::from_secs(600);

/// Models offered. Which one is asked for makes no difference.
const MODELS: [&str; 2] = ["scripted", "scripted-small"];

#[derive(Debug)]
struct Server {
    script: Script,
    ledger: Mutex<Ledger>,
}

/// The scripted model as a router, for a listener of one's own.
pub fn router(script: Script) -> Router {
    let server = Arc::new(Server { script, ledger: Mutex::default() });
    Router::new().fallback(handle).with_state(server)
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let ends = |end: &str| path.ends_with(end);
    match *request.method() {
        Method::POST if ends("/messages/count_tokens") => server.count_tokens(request).await,
        Method::POST if ends("/chat/completions") => server.answer(Protocol::Chat, path, request).await,
        Method::POST if ends("/responses") => server.answer(Protocol::Responses, path, request).await,
        Method::POST if ends("/messages") => server.answer(Protocol::Messages, path, request).await,
        Method::GET if ends("/models") => models(request.headers()),
        Method::GET if ends("/_scripted/requests") => {
            let with_bodies = request.uri().query() == Some("bodies=true");
            Json(server.ledger(|ledger| ledger.requests(with_bodies))).into_response()
        }
        Method::GET if ends("/_scripted/stats") => {
            Json(server.ledger(|ledger| ledger.stats())).into_response()
        }
        _ => (
            StatusCode::NOT_FOUND,
            Json(json!({"error": {"message": format!("Unknown request URL: {path}"),
            "type": "invalid_request_error", "param": null, "code": "unknown_url"}})),
        )
            .into_response(),
    }
}

impl Server {
    fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, protocol: Protocol, path: String, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = match to_bytes(body, MAX_REQUEST_BYTES).await {
            Ok(body) => body,
            Err(_) => return error(protocol, 413, "Request exceeds the maximum size"),
        };
        let mut record = Record {
            protocol: protocol.name(),
            path,
            credential: credential(&head.headers).map(|(kind, _)| kind),
            status: 200,
            problem: None,
            model: String::new(),
            stream: false,
            tools: vec![],
            prompt: String::new(),
            at: None,
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let understood = self.understand(protocol, &head.headers, &body, &mut record);
        let (asked, played) = match understood {
            Ok(understood) => understood,
            Err(Misuse { status, message }) => {
                let response = error(protocol, status, &message);
                (record.status, record.problem) = (status, Some(message));
                self.ledger(|ledger| ledger.record(record));
                return response;
            }
        };
        // Sessions that say the same count a fault together: there is nothing here to tell them apart by.
        let Place { prompt, earlier, .. } = asked.place();
        let place =
            fingerprint(format!("{protocol:?} {:?} {} {prompt}", played.at, earlier.len()).as_bytes());
        let fault = played.fault.filter(|fault| self.ledger(|ledger| ledger.strikes(fault, place)));
        if let Some(fault) = &fault {
            record.problem = Some(format!("{:?}", fault.kind));
            if let FaultKind::Status { code, .. } = fault.kind {
                record.status = code;
            }
        }
        self.ledger(|ledger| ledger.record(record));
        tokio::time::sleep(Duration::from_millis(played.reply.delay_ms)).await;
        match fault {
            None => answered(protocol, &asked, &played.reply, false),
            Some(fault) => faulty(protocol, &asked, &played.reply, &fault.kind).await,
        }
    }

    fn understand(
        &self,
        protocol: Protocol,
        headers: &HeaderMap,
        body: &[u8],
        record: &mut Record,
    ) -> Result<(Asked, Played), Misuse> {
        self.check_key(headers)?;
        if protocol == Protocol::Messages && !headers.contains_key("anthropic-version") {
            return Err(Misuse::invalid("anthropic-version: header is required"));
        }
        let asked = protocol.read(body)?;
        record.model.clone_from(&asked.model);
        record.stream = asked.stream;
        record.tools = asked.tools.iter().map(|tool| tool.name.clone()).collect();
        record.prompt = asked.place().prompt;
        let played = play(&self.script, &asked).map_err(Misuse::invalid)?;
        record.at.clone_from(&played.at);
        Ok((asked, played))
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Misuse> {
        let given = credential(headers).map(|(_, key)| key);
        match &self.script.key {
            Some(key) if given != Some(key) => {
                Err(Misuse { status: 401, message: "Incorrect API key provided.".to_owned() })
            }
            _ => Ok(()),
        }
    }

    async fn count_tokens(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let counted = match to_bytes(body, MAX_REQUEST_BYTES).await {
            Ok(body) => self.check_key(&head.headers).and_then(|()| token_count(&body)),
            Err(_) => Err(Misuse { status: 413, message: "Request exceeds the maximum size".to_owned() }),
        };
        match counted {
            Ok(count) => Json(count).into_response(),
            Err(Misuse { status, message }) => error(Protocol::Messages, status, &message),
        }
    }
}

/// How a request shows who asks, and its key.
fn credential(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.map(|key| ("bearer", key)).or(text("x-api-key").map(|key| ("x-api-key", key)))
}

/// An answer, sent to its end or, `broken`, half of it before the connection breaks.
fn answered(protocol: Protocol, asked: &Asked, reply: &Reply, broken: bool) -> Response {
    if asked.stream {
        let mut frames = protocol.frames(asked, reply);
        if broken {
            frames.truncate(frames.len() / 2);
        }
        return streamed("text/event-stream; charset=utf-8", frames, reply.chunk_delay_ms, broken);
    }
    let whole = protocol.whole(asked, reply);
    if broken {
        let mut bytes = whole.to_string();
        bytes.truncate(bytes.floor_char_boundary(bytes.len() / 2));
        return streamed("application/json", vec![Frame { bytes, paced: false }], 0, broken);
    }
    Json(whole).into_response()
}

/// Sends the frames, then ends the body, or breaks the connection.
fn streamed(content_type: &'static str, frames: Vec<Frame>, chunk_delay_ms: u64, broken: bool) -> Response {
    let pieces = stream::unfold((frames.into_iter(), broken), move |(mut frames, broken)| async move {
        let Some(frame) = frames.next() else {
            let error = Error::new(ErrorKind::ConnectionReset, "the script breaks the connection");
            return broken.then_some((Err(error), (frames, false)));
        };
        if frame.paced {
            tokio::time::sleep(Duration::from_millis(chunk_delay_ms)).await;
        }
        Some((Ok(Bytes::from(frame.bytes)), (frames, broken)))
    });
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(pieces)).into_response()
}

async fn faulty(protocol: Protocol, asked: &Asked, reply: &Reply, fault: &FaultKind) -> Response {
    match fault {
        FaultKind::Status { code, retry_after_s } => {
            let mut response =
                error(protocol, *code, &format!("The script answers this request with {code}."));
            if let Some(seconds) = retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            response
        }
        FaultKind::Drop => answered(protocol, asked, reply, true),
        FaultKind::Hang => {
            tokio::time::sleep(HANG_LIMIT).await;
            answered(protocol, asked, reply, true)
        }
        FaultKind::Garbage if asked.stream => {
            let frame = Frame { bytes: "data: {this is not JSON\n\n".to_owned(), paced: false };
            streamed("text/event-stream; charset=utf-8", vec![frame], 0, false)
        }
        FaultKind::Garbage => "<html>This is not JSON.</html>".into_response(),
    }
}

fn error(protocol: Protocol, status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(protocol.error(status.as_u16(), message))).into_response()
}

/// The list of models, in the shape of the vendor whose header the request has.
fn models(headers: &HeaderMap) -> Response {
    let list = if headers.contains_key("anthropic-version") {
        let data: Vec<_> = MODELS
            .iter()
            .map(|id| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-10-09T08:53:20Z"}))
            .collect();
        json!({"data": data, "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last()})
    } else {
        let model =
            |id: &&str| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "lamplight"});
        json!({"object": "list", "data": MODELS.iter().map(model).collect::<Vec<_>>()})
    };
    Json(list).into_response()
}
