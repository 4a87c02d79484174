//! One session's log to one reader: from where it resumes, without gap or double, then live.

use super::acknowledgements::Acknowledgements;
use super::frames::{ClientFrame, Control, Reason};
use super::presence::{People, Seat};
use super::{Over, Timings, farewell, feed, flush};
use crate::clock;
use crate::http::App;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use lamplight_domain::{Seq, SessionId};
use lamplight_engine::CommandError;
use std::pin::pin;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

/// Serves one reader until it leaves or is sent away. `last` is the end of the log when it came.
/// With `presence` it is told who else follows; it is one of those in any case.
pub async fn run(
    app: &App,
    id: &SessionId,
    mut socket: WebSocket,
    resume: Option<Seq>,
    last: Seq,
    (presence, name): (bool, &str),
) {
    let mut seat = app.presence.enter(id, name);
    let resume = match resume {
        Some(seq) => seq,
        None => match first_message(&mut socket, &app.timings).await {
            Ok(seq) => seq,
            Err(_) => return,
        },
    };
    // A reader that claims to have more than there is learns so from the `live` frame.
    let mut from = From { after: resume.min(last), last };
    loop {
        let follower = match app.engine.follow(id, from.after).await {
            Ok(follower) => follower,
            Err(error) => {
                tracing::error!(session.id = %id, %error, "a log cannot be followed");
                return;
            }
        };
        // Unfolded, so that dropping a wait for the next batch loses nothing of it.
        let batches =
            stream::unfold(follower, |mut follower| async move { Some((follower.next().await, follower)) });
        let people = presence.then_some(&mut seat);
        match follow(&mut socket, batches, from, &app.timings, &app.going_away, people).await {
            Next::From(again) => from = again,
            Next::Closed => return,
        }
    }
}

/// Where a reader starts, and what makes it `live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    pub after: Seq,
    pub last: Seq,
}

/// How a stretch of reading ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The reader found a gap at its end and asked to go on from elsewhere.
    From(From),
    Closed,
}

/// The resume that a client may send instead of putting it into the address.
async fn first_message(socket: &mut WebSocket, timings: &Timings) -> Result<Seq, Over> {
    match tokio::time::timeout(timings.first_message, socket.recv()).await {
        Ok(Some(Ok(Message::Text(text)))) => {
            Ok(ClientFrame::read(&text).and_then(|frame| frame.resume).unwrap_or_default())
        }
        Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) | Err(_) => Ok(Seq(0)),
        Ok(Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None) => Err(Over::Gone),
    }
}

/// The loop, over any source of batches.
async fn follow(
    socket: &mut WebSocket,
    batches: impl Stream<Item = Result<Vec<(Seq, Bytes)>, CommandError>>,
    from: From,
    timings: &Timings,
    going_away: &CancellationToken,
    mut people: Option<&mut Seat>,
) -> Next {
    let mut batches = pin!(batches);
    // Waited for once, not anew with every entry.
    let mut leaving = pin!(going_away.cancelled());
    let mut account = Acknowledgements::new(from.after);
    let mut live = false;
    let mut heartbeat = interval_at(Instant::now() + timings.heartbeat, timings.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let over = loop {
        if !live && account.sent() >= from.last {
            live = true;
            let frame = Control::Live { last_seq: account.sent() }.message();
            if let Err(over) = send(socket, [frame], timings).await {
                break over;
            }
        }
        let given_up_at = account.given_up_at(timings.acknowledge);
        let outcome = tokio::select! {
            batch = batches.next() => match batch {
                Some(Ok(batch)) => send_entries(socket, batch, &mut account, timings).await,
                Some(Err(error)) => {
                    tracing::error!(%error, "a log cannot be read for its reader");
                    Err(Over::Gone)
                }
                None => return away(socket, &account).await,
            },
            message = socket.recv() => match heard(message) {
                Heard::Frame(frame) => {
                    if let Some(seq) = frame.ack {
                        account.acknowledge(seq, Instant::now());
                    }
                    if let Some(seq) = frame.resume {
                        let last = from.last.max(account.sent());
                        return Next::From(From { after: seq.min(last), last });
                    }
                    Ok(())
                }
                Heard::Nothing => Ok(()),
                Heard::Nonsense => {
                    let frame = CloseFrame { code: close_code::POLICY, reason: "send {\"ack\":N} or {\"resume\":N}".into() };
                    farewell(socket, Message::Close(Some(frame))).await;
                    return Next::Closed;
                }
                Heard::End => Err(Over::Gone),
            },
            people = news(&mut people) => send(socket, [Control::Present { people: &people }.message()], timings).await,
            _ = heartbeat.tick() => {
                let frame = Control::Heartbeat { at: clock::now(), last_seq: Some(account.sent()) };
                send(socket, [frame.message()], timings).await
            }
            () = sleep_until(given_up_at.unwrap_or_else(Instant::now)), if given_up_at.is_some() => Err(Over::Slow),
            () = &mut leaving => return away(socket, &account).await,
        };
        if let Err(over) = outcome {
            break over;
        }
    };
    match over {
        Over::Gone => {}
        Over::Slow => {
            tracing::debug!(seq = account.sent().0, "a reader is too slow and is sent away");
            farewell(socket, Control::Resume { seq: account.sent(), reason: Reason::SlowReader }.message())
                .await;
        }
    }
    Next::Closed
}

/// Never, where nobody asked.
async fn news(people: &mut Option<&mut Seat>) -> People {
    match people {
        Some(seat) => seat.news().await,
        None => std::future::pending().await,
    }
}

async fn away(socket: &mut WebSocket, account: &Acknowledgements) -> Next {
    farewell(socket, Control::Resume { seq: account.sent(), reason: Reason::GoingAway }.message()).await;
    Next::Closed
}

/// Everything that there is, then one flush.
async fn send_entries(
    socket: &mut WebSocket,
    batch: Vec<(Seq, Bytes)>,
    account: &mut Acknowledgements,
    timings: &Timings,
) -> Result<(), Over> {
    for (seq, entry) in batch {
        let Ok(text) = Utf8Bytes::try_from(entry) else {
            tracing::error!(seq = seq.0, "an entry of the log is not UTF-8");
            return Err(Over::Gone);
        };
        feed(socket, Message::Text(text), timings.drain).await?;
        account.send(seq, Instant::now());
    }
    flush(socket, timings.drain).await
}

async fn send(
    socket: &mut WebSocket,
    frames: impl IntoIterator<Item = Message>,
    timings: &Timings,
) -> Result<(), Over> {
    for frame in frames {
        feed(socket, frame, timings.drain).await?;
    }
    flush(socket, timings.drain).await
}

enum Heard {
    Frame(ClientFrame),
    Nothing,
    Nonsense,
    End,
}

fn heard(message: Option<Result<Message, axum::Error>>) -> Heard {
    match message {
        Some(Ok(Message::Text(text))) => ClientFrame::read(&text).map_or(Heard::Nonsense, Heard::Frame),
        Some(Ok(Message::Binary(_))) => Heard::Nonsense,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Heard::Nothing,
        Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::End,
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
