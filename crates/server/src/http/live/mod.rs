//! Event streams over WebSockets.
//!
//! ```text
//! open ─ catching up ─ live ─┬─ the client closes, or is gone
//!                            ├─ {"control":"resume","reason":"slow_reader"}: it does not drain or acknowledge
//!                            └─ {"control":"resume","reason":"going_away"}: the server stops
//! ```
//!
//! A reader pulls from the log at its own pace until it has all of it. Then it sits in the [audience], whose one task tells all of
//! its readers what comes, until its connection does not take that at once. So a slow one costs nobody else anything. It is never
//! skipped: it is sent away with the `seq` to come back with.

mod acknowledgements;
mod audience;
mod batch;
pub mod entries;
mod frames;
mod line;
mod presence;
mod socket;
pub mod summaries;

pub(super) use presence::Presence;
pub(super) use socket::{Socket, Upgrade, not_a_websocket};

use super::App;
use super::access::{Caller, Open};
use super::problem::Problem;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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
            heartbeat: Duration::from_secs(12),
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
const MAX_STREAMS: usize = 20_000;
/// A client has nothing longer to say, in bytes.
const CLIENT_MESSAGE: usize = 4 * 1024;
/// Read at once from a client, in bytes; it sends short frames.
const READ_BUFFER: usize = 512;
/// Collected before it is written to the socket, in bytes, unless a wake-up ends before. Every stream keeps as much.
const WRITE_BUFFER: usize = 4 * 1024;
/// For the farewell to a client that may not listen any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// Takes the handshake and runs the stream as one of the server's tracked tasks, for as long as who asked for it may follow.
pub(super) fn open<F, Run>(app: &App, (caller, what): (Caller, Open), upgrade: Upgrade, run: F) -> Response
where
    F: FnOnce(Socket) -> Run + Send + 'static,
    Run: Future<Output = ()> + Send + 'static,
{
    if app.streams.len() >= MAX_STREAMS {
        let detail = format!("{MAX_STREAMS} event streams are open already");
        let what_to_do = "Close some pages, or try again later.";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail, what_to_do).into_response();
    }
    let (answer, socket) = upgrade.split();
    let (streams, app) = (app.streams.clone(), app.clone());
    streams.spawn(async move {
        match socket.await {
            Ok(socket) => tokio::select! {
                () = run(socket) => {}
                () = caller.ended(&app, what) => {}
            },
            Err(error) => tracing::debug!(%error, "a client left before its stream began"),
        }
    });
    answer
}

/// The stream is over: the client is gone, or does not take what it is sent.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Gone,
    Slow,
}
