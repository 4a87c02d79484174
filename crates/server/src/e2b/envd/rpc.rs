//! Calls by Connect: what comes in, and how it is answered.

use crate::http::App;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures::{Stream, StreamExt, TryStreamExt};
use lamplight_e2b::connect::{self, Code, Error, Message};
use lamplight_engine::{CommandError, ProcessError, Unfiled};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;

const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
const PING: HeaderName = HeaderName::from_static("keepalive-ping-interval");

/// Between two signs of life, where the client does not say, and the least and the most that it may say.
const PING_SECONDS: u64 = 90;
const PING_BOUNDS: std::ops::RangeInclusive<u64> = 1..=600;

/// Of a piece of a request that streams to us.
const PIECE: Duration = Duration::from_secs(300);

/// Of a request that does not.
const WHOLE: Duration = Duration::from_secs(60);

/// An answer without a stream.
pub(super) type Answer = Result<Response, Error>;

/// The request of a call without a stream.
pub(super) async fn unary<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    connect::parse(&whole(request).await?)
}

/// The one message of a call whose answer is a stream.
pub(super) async fn first<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let mut bytes = BytesMut::from(&whole(request).await?[..]);
    match Message::decode(&mut bytes)? {
        Some(message) => connect::parse(&message.text),
        None => Err(Error::new(Code::InvalidArgument, "the message did not come whole")),
    }
}

async fn whole(request: Request) -> Result<Bytes, Error> {
    let body = to_bytes(request.into_body(), connect::MAX_MESSAGE + connect::HEADER);
    match tokio::time::timeout(WHOLE, body).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            Err(Error::new(Code::ResourceExhausted, "the message is too long, or did not come whole"))
        }
        Err(_) => Err(Error::new(Code::DeadlineExceeded, "the message did not come in time")),
    }
}

/// The messages of a request that streams, as they come.
pub(super) fn messages<T: DeserializeOwned>(
    request: Request,
) -> impl Stream<Item = Result<T, Error>> + Unpin {
    let pieces = request.into_body().into_data_stream().map_err(|_| io::ErrorKind::UnexpectedEof);
    let state = (pieces, BytesMut::new());
    Box::pin(futures::stream::try_unfold(state, async |(mut pieces, mut buffer)| {
        loop {
            if let Some(message) = Message::decode(&mut buffer)? {
                if message.flags & connect::END != 0 {
                    return Ok(None);
                }
                return Ok(Some((connect::parse(&message.text)?, (pieces, buffer))));
            }
            match tokio::time::timeout(PIECE, pieces.next()).await {
                Ok(Some(Ok(piece))) => buffer.extend_from_slice(&piece),
                Ok(Some(Err(_))) => return Err(Error::new(Code::Canceled, "the client has left")),
                Ok(None) => return Ok(None),
                Err(_) => return Err(Error::new(Code::DeadlineExceeded, "the client says nothing")),
            }
        }
    }))
}

pub(super) fn answer(message: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(message).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, connect::UNARY)], body).into_response())
}

/// A call without a stream has failed.
pub(super) fn refused(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(error).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, connect::UNARY)], body).into_response()
}

/// A stream whose frames come one by one. An error breaks the connection, as the end of a sandbox does.
pub(super) fn stream(frames: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    ([(header::CONTENT_TYPE, connect::STREAM)], Body::from_stream(frames)).into_response()
}

/// A stream that says nothing but how it went.
pub(super) fn ended(error: Option<&Error>) -> Response {
    ([(header::CONTENT_TYPE, connect::STREAM)], connect::encode_end(error)).into_response()
}

/// How long a call may take; `None` is for ever.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let ms = headers.get(TIMEOUT)?.to_str().ok()?.parse().ok()?;
    (ms > 0).then(|| Duration::from_millis(ms))
}

/// How long a stream may say nothing.
pub(super) fn ping(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(PING).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.filter(|seconds| PING_BOUNDS.contains(seconds)).unwrap_or(PING_SECONDS))
}

/// What the engine says of a sandbox.
pub(super) fn of_sandbox(error: CommandError) -> Error {
    match error {
        CommandError::NotFound => Error::new(Code::NotFound, "the sandbox was not found"),
        CommandError::Busy | CommandError::Moved | CommandError::Newer => {
            Error::new(Code::Unavailable, "the sandbox does not answer")
        }
        CommandError::Invalid { message, .. } => Error::new(Code::FailedPrecondition, message),
        CommandError::Failed(error) => {
            tracing::warn!(error = format!("{error:#}"), "a call of an E2B client failed");
            Error::new(Code::Internal, "something went wrong in this server; see its log")
        }
        other => Error::new(Code::Internal, other.to_string()),
    }
}

/// What it says of a process, which the client calls `what`.
pub(super) fn of_process(error: ProcessError, what: &str) -> Error {
    match error {
        ProcessError::NotFound => Error::new(Code::NotFound, format!("process with {what} not found")),
        ProcessError::NoDirectory => {
            Error::new(Code::InvalidArgument, format!("cwd '{what}' does not exist"))
        }
        ProcessError::NotStarted(why) => Error::new(Code::InvalidArgument, why),
        ProcessError::NoInput => Error::new(Code::FailedPrecondition, "the process takes no such input"),
        ProcessError::TooMany => Error::new(Code::ResourceExhausted, "too much runs in the sandbox"),
        ProcessError::Sandbox(error) => of_sandbox(error),
    }
}

/// What it says of a file.
pub(super) fn of_file(error: Unfiled, path: &str) -> Error {
    match error {
        Unfiled::NotFound => Error::new(Code::NotFound, format!("path '{path}' does not exist")),
        Unfiled::Exists => Error::new(Code::AlreadyExists, format!("path already exists: {path}")),
        Unfiled::Another(why) => Error::new(Code::InvalidArgument, why),
        Unfiled::Denied(why) => Error::new(Code::PermissionDenied, why),
        Unfiled::Refused(why) => Error::new(Code::Internal, why),
        Unfiled::Sandbox(error) => of_sandbox(error),
    }
}

/// Nobody has this name.
pub(super) fn no_user(name: &str) -> Error {
    Error::new(Code::Unauthenticated, format!("invalid username: '{name}'"))
}

pub(super) fn no_method(method: &str) -> Error {
    Error::new(Code::Unimplemented, format!("{method} is not known here"))
}

/// What a handler shares with all others.
pub(super) struct Call {
    pub(super) app: App,
    pub(super) inside: super::Inside,
    pub(super) headers: HeaderMap,
}
