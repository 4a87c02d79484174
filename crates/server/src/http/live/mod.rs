//! Event streams over WebSockets.
//!
//! ```text
//! open ─ catching up ─ live ─┬─ the client closes, or is gone
//!                            ├─ {"control":"resume","reason":"slow_reader"}: it does not drain or acknowledge
//!                            └─ {"control":"resume","reason":"going_away"}: the server stops
//! ```
//!
//! A reader pulls from the log at its own pace, so a slow one costs nobody else anything. It is never skipped: it is
//! sent away with the `seq` to come back with.

mod acknowledgements;
pub mod entries;
mod frames;
mod presence;
pub mod summaries;

pub(super) use presence::Presence;

use super::App;
use super::access::Caller;
use super::problem::Problem;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::SinkExt;
use std::time::Duration;

/// The waits of an event stream.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// A socket that takes nothing for this long is closed.
    pub drain: Duration,
    /// A reader with more than [`UNACKNOWLEDGED`] entries that acknowledges nothing for this long is sent away.
    pub acknowledge: Duration,
    /// How long the first message may take when the address says no `resume`; then it is 0.
    pub first_message: Duration,
    /// Between two summaries of one session.
    pub coalesce: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            acknowledge: Duration::from_secs(60),
            first_message: Duration::from_secs(5),
            coalesce: Duration::from_millis(100),
        }
    }
}

/// Entries that a reader may leave unacknowledged for as long as it likes.
pub const UNACKNOWLEDGED: u64 = 1_000;

/// Open streams that are served at once; each costs a few kilobytes.
const MAX_STREAMS: usize = 10_000;
/// A client has nothing longer to say, in bytes.
const CLIENT_MESSAGE: usize = 4 * 1024;
/// Read at once from a client, in bytes; it sends short frames.
const READ_BUFFER: usize = 512;
/// Collected before it is written to the socket, in bytes, unless a wake-up ends before. Every stream keeps as much.
const WRITE_BUFFER: usize = 16 * 1024;
/// For the farewell to a client that may not listen any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// Takes the handshake and runs the stream as one of the server's tracked tasks, for as long as who asked for it may follow.
pub(crate) fn open<F, Run>(app: &App, caller: Caller, upgrade: WebSocketUpgrade, run: F) -> Response
where
    F: FnOnce(WebSocket) -> Run + Send + 'static,
    Run: Future<Output = ()> + Send + 'static,
{
    if app.streams.len() >= MAX_STREAMS {
        let detail = format!("{MAX_STREAMS} event streams are open already");
        let what_to_do = "Close some pages, or try again later.";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail, what_to_do).into_response();
    }
    let (token, app) = (app.streams.token(), app.clone());
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(CLIENT_MESSAGE)
        .max_frame_size(CLIENT_MESSAGE)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                () = run(socket) => {}
                () = caller.ended(&app) => {}
            }
            drop(token);
        })
}

/// The stream is over: the client is gone, or does not take what it is sent.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Gone,
    Slow,
}

/// Puts a message into the socket's buffer, waiting while that is full.
async fn feed(socket: &mut WebSocket, message: Message, drain: Duration) -> Result<(), Over> {
    match tokio::time::timeout(drain, socket.feed(message)).await {
        Ok(fed) => fed.map_err(|_| Over::Gone),
        Err(_) => Err(Over::Slow),
    }
}

/// Writes what is in the buffer.
async fn flush(socket: &mut WebSocket, drain: Duration) -> Result<(), Over> {
    match tokio::time::timeout(drain, socket.flush()).await {
        Ok(flushed) => flushed.map_err(|_| Over::Gone),
        Err(_) => Err(Over::Slow),
    }
}

/// Says where to come back and closes, if the client still listens.
async fn farewell(socket: &mut WebSocket, frame: Message) {
    let say = async {
        socket.send(frame).await?;
        socket.send(Message::Close(None)).await
    };
    if !matches!(tokio::time::timeout(FAREWELL, say).await, Ok(Ok(()))) {
        tracing::debug!("a reader left without a farewell; it knows the last entry that it has");
    }
}
