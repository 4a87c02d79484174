//! `GET /sessions/{id}/terminals/{terminal}/stream`: a terminal as it is, over a WebSocket.
//!
//! ```text
//! server: {"control":"attached","end":N} · output… ─┬─ {"control":"exited","exit_code":0}
//!                                                   ├─ {"control":"refused","code":…,"detail":…,"what_to_do":…}
//!                                                   └─ {"control":"going_away"}
//! client: keys… · {"rows":24,"columns":80} · {"ack":N}
//! ```
//! Output is binary: eight bytes that say how much there was before, most significant first, then what the terminal shows. Keys are
//! binary as they are. Who says by `ack` that it has
//! seen little of what it was sent gets no more for now; later it goes on with the newest, and sees by the number what is missing.

use super::{ending, session};
use crate::http::App;
use crate::http::access::{By, Caller, Open};
use crate::http::extract::Query;
use crate::http::live::not_a_websocket;
use crate::http::problem::Problem;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use lamplight_domain::SessionId;
use lamplight_domain::agent::ExitStatus;
use lamplight_engine::{Keyboard, Output, Screen, TerminalSize};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use utoipa::IntoParams;

/// The most bytes in one frame of a client.
const CLIENT_FRAME: usize = 64 * 1024;
/// How many may sit at the terminals of one session, at once.
pub(in crate::http) const SEATS: usize = 32;
/// Bytes of output that a client may not have seen yet, before it gets more.
const UNSEEN: u64 = 512 * 1024;
/// Between two times that the session hears of somebody typing.
const TYPING: Duration = Duration::from_secs(1);
/// For the last word to a client that may not listen any more.
const LAST_WORD: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Bytes of output that the client has; 0 for all that is kept.
    from: u64,
}

/// Follows a terminal and types at it. Several may at once.
#[utoipa::path(get, path = "/sessions/{id}/terminals/{terminal}/stream", operation_id = "attach_terminal", tag = "terminals",
    params(("id" = String, Path), ("terminal" = String, Path), Params),
    responses((status = 101, description = "A WebSocket"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
    Query(params): Query<Params>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let id = session(&id)?;
    let what = Open::Steer(app.engine.view(&id).await?.repository);
    let upgrade = upgrade.map_err(|error| not_a_websocket(&error.to_string()))?;
    let Some(seat) = app.terminal_places.take(&id).await else {
        let detail = format!("{SEATS} people sit at the session's terminals already");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail, "Close some of them."));
    };
    let token = app.streams.token();
    let upgrade = upgrade.max_message_size(CLIENT_FRAME).max_frame_size(CLIENT_FRAME);
    Ok(upgrade.on_upgrade(move |socket| async move {
        tokio::select! {
            () = run(&app, &id, &terminal, (params.from, by), socket) => {}
            () = caller.ended(&app, what) => {}
        }
        drop((seat, token));
    }))
}

#[derive(Debug, Serialize)]
#[serde(tag = "control", rename_all = "snake_case")]
enum Control {
    /// What comes up to `end` was there before.
    Attached {
        end: u64,
    },
    Heartbeat,
    Exited {
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
    },
    Refused {
        code: String,
        detail: String,
        what_to_do: String,
    },
    GoingAway,
}

impl Control {
    fn message(&self) -> Message {
        Message::text(serde_json::to_string(self).expect("a control frame is numbers and words"))
    }
}

/// What a client says in words.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Said {
    Size {
        rows: u16,
        columns: u16,
    },
    /// Everything before was shown.
    Ack {
        ack: u64,
    },
}

/// What the half that reads tells the others.
struct Heard {
    typed: Notify,
    seen: watch::Sender<u64>,
}

async fn run(app: &App, id: &SessionId, terminal: &str, (from, by): (u64, String), mut socket: WebSocket) {
    let sat_down = match app.engine.terminal(id, terminal, from).await {
        Ok(sat_down) => sat_down,
        Err(error) => {
            let problem = Problem::from(error);
            let (code, what_to_do) = (problem.code.into_owned(), problem.what_to_do.into_owned());
            let refused = Control::Refused { code, detail: problem.detail.into(), what_to_do };
            return last_word(&mut socket, &refused).await;
        }
    };
    let attached = Control::Attached { end: sat_down.state().stdout.end };
    let (screen, keyboard) = sat_down.split();
    let (mut sink, mut stream) = socket.split();
    let heard = Heard { typed: Notify::new(), seen: watch::Sender::new(from) };
    let last = tokio::select! {
        last = show(app, &mut sink, screen, attached, heard.seen.subscribe()) => last,
        () = take(&mut stream, keyboard, &heard) => None,
        () = stay_awake(app, id, &by, &heard.typed) => None,
        () = app.going_away.cancelled() => Some(Control::GoingAway),
    };
    if let (Some(last), Ok(mut socket)) = (last, sink.reunite(stream)) {
        last_word(&mut socket, &last).await;
    }
}

/// From the terminal to the client, until it ends or the client does not take it.
async fn show(
    app: &App,
    sink: &mut SplitSink<WebSocket, Message>,
    mut screen: Screen,
    attached: Control,
    mut seen: watch::Receiver<u64>,
) -> Option<Control> {
    let mut sent: u64 = 0;
    let mut next = attached.message();
    loop {
        match tokio::time::timeout(app.timings.drain, sink.send(next)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
        let more = async {
            // The sender is in the same task.
            let _ = seen.wait_for(|seen| sent == 0 || sent.saturating_sub(*seen) < UNSEEN).await;
            screen.next().await
        };
        next = match tokio::time::timeout(app.timings.heartbeat, more).await {
            Err(_) => Control::Heartbeat.message(),
            Ok(Ok(Some(Output::Stdout { offset, bytes } | Output::Stderr { offset, bytes }))) => {
                sent = offset + bytes.len() as u64;
                let mut frame = BytesMut::with_capacity(8 + bytes.len());
                frame.put_u64(offset);
                frame.put_slice(&bytes);
                Message::Binary(frame.freeze())
            }
            Ok(Ok(Some(Output::Exited { status }))) => return Some(exited(status)),
            // The link was cut: the client comes back, and finds out whether the sandbox is still there.
            Ok(Ok(None) | Err(_)) => return None,
        };
    }
}

fn exited(status: ExitStatus) -> Control {
    let (exit_code, signal) = ending(Some(status));
    Control::Exited { exit_code, signal }
}

/// From the client to the terminal, until either is gone or the client says what it should not.
async fn take(stream: &mut SplitStream<WebSocket>, mut keyboard: Keyboard, heard: &Heard) {
    while let Some(Ok(message)) = stream.next().await {
        let done = match message {
            Message::Binary(keys) => {
                heard.typed.notify_one();
                keyboard.write(&keys).await
            }
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Said::Size { rows, columns }) => keyboard.resize(TerminalSize { rows, columns }).await,
                Ok(Said::Ack { ack }) => {
                    heard.seen.send_replace(ack);
                    Ok(())
                }
                Err(_) => return,
            },
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => return,
        };
        if done.is_err() {
            return;
        }
    }
}

/// Who types uses the sandbox: it is not idle, and goes on where it was paused. Who only looks does not.
async fn stay_awake(app: &App, id: &SessionId, by: &str, typed: &Notify) {
    loop {
        typed.notified().await;
        if let Err(error) = app.engine.use_sandbox(id, by.to_owned()).await {
            tracing::debug!(session.id = %id, %error, "somebody types where no sandbox is");
        }
        tokio::time::sleep(TYPING).await;
    }
}

/// What the client still says is taken until it closes, too: a connection that ends with something unread takes the last word with it.
async fn last_word(socket: &mut WebSocket, control: &Control) {
    let say = async {
        let _ = socket.send(control.message()).await;
        let _ = socket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = tokio::time::timeout(LAST_WORD, say).await;
}
