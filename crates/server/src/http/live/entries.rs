//! One session's log to one reader: from where it resumes, without gap or double, then live.

use super::audience::Audience;
use super::frames::{ClientFrame, Control, Reason};
use super::presence::{People, Seat};
use super::socket::Socket;
use super::{Over, Timings};
use crate::clock;
use crate::http::App;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use lamplight_domain::{Seq, SessionId};
use lamplight_engine::{CommandError, Follower};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

type Batches = BoxStream<'static, Result<Vec<(Seq, Bytes)>, CommandError>>;

/// Serves one reader until it leaves or is sent away. `last` is the end of the log when it came.
/// With `presence` it is told who else follows; it is one of those in any case.
pub(in crate::http) async fn run(
    app: &App,
    id: &SessionId,
    mut socket: Socket,
    resume: Option<Seq>,
    last: Seq,
    (presence, name): (bool, &str),
) {
    let mut seat = app.presence.enter(id, name);
    let audience = seat.audience();
    let resume = match resume {
        Some(seq) => seq,
        None => match first_message(&mut socket, &app.timings).await {
            Ok(seq) => seq,
            Err(_) => return,
        },
    };
    // A reader that claims to have more than there is learns so from the `live` frame.
    let mut from = From { after: resume.min(last), last, live: false };
    loop {
        let log = |after| {
            let (engine, id) = (app.engine.clone(), id.clone());
            async move { engine.follow(&id, after).await.map(Log::of) }.boxed()
        };
        let people = presence.then_some(&mut seat);
        match follow(&mut socket, log, from, &app.timings, (&app.going_away, &audience), people).await {
            Next::From(again) => from = again,
            Next::Closed => return,
        }
    }
}

/// Entries as they come, and the end of the log as it is at any time.
struct Log {
    batches: Batches,
    end: watch::Receiver<Seq>,
}

impl Log {
    fn of(follower: Follower) -> Self {
        let end = follower.end();
        // Unfolded, so that dropping a wait for the next batch loses nothing of it.
        let batches =
            stream::unfold(follower, |mut follower| async move { Some((follower.next().await, follower)) });
        Self { batches: batches.boxed(), end }
    }
}

/// Where a reader starts, and what makes it `live`; whether it has been told that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct From {
    after: Seq,
    last: Seq,
    live: bool,
}

/// How a stretch of reading ended.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The reader found a gap at its end and asked to go on from elsewhere.
    From(From),
    Closed,
}

/// The resume that a client may send instead of putting it into the address.
async fn first_message(socket: &mut Socket, timings: &Timings) -> Result<Seq, Over> {
    match tokio::time::timeout(timings.first_message, socket.hear()).await {
        Ok(Some(Ok(Message::Text(text)))) => {
            Ok(ClientFrame::read(&text).and_then(|frame| frame.resume).unwrap_or_default())
        }
        Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) | Err(_) => Ok(Seq(0)),
        Ok(Some(Ok(Message::Binary(_) | Message::Close(_) | Message::Frame(_)) | Err(_)) | None) => {
            Err(Over::Gone)
        }
    }
}

/// The loop, over any log.
async fn follow(
    socket: &mut Socket,
    log: impl Fn(Seq) -> BoxFuture<'static, Result<Log, CommandError>>,
    from: From,
    timings: &Timings,
    (going_away, audience): (&CancellationToken, &OnceCell<Audience>),
    mut people: Option<&mut Seat>,
) -> Next {
    let line = Arc::clone(&socket.line);
    let mut live = from.live;
    if !live {
        line.begin(from.after);
    }
    // Read by itself until it has a seat.
    let mut own = match log(from.after).await {
        Ok(log) => Some(log),
        Err(error) => return unreadable(&error),
    };
    // Waited for once, not anew with every entry.
    let mut leaving = pin!(going_away.cancelled());
    let mut heartbeat = interval_at(Instant::now() + timings.heartbeat, timings.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let over = loop {
        if !live && line.sent() >= from.last {
            live = true;
            let frame = Control::Live { last_seq: line.sent() }.message();
            if let Err(over) = socket.send(frame, timings.drain).await {
                break over;
            }
        }
        if live && own.as_ref().is_some_and(|own| line.sent() >= *own.end.borrow()) {
            let open = async || Ok(Audience::new(line.sent(), log(line.sent()).await?.batches));
            match audience.get_or_try_init(open).await {
                Ok(audience) if audience.admit(&line) => own = None,
                Ok(_) => {}
                Err(error) => return unreadable(&error),
            }
        }
        if own.is_none() && !line.is_seated() {
            return Next::From(From { after: line.sent(), last: from.last, live });
        }
        let too_slow_at = line.too_slow_at(timings);
        let outcome = tokio::select! {
            batch = next(&mut own) => match batch {
                Some(Ok(batch)) => send_entries(socket, batch, timings).await,
                Some(Err(CommandError::Moved)) => return away(socket).await,
                Some(Err(error)) => return unreadable(&error),
                None => return away(socket).await,
            },
            news = line.news() => news,
            message = socket.hear() => match heard(message) {
                Heard::Frame(frame) => {
                    if let Some(seq) = frame.ack {
                        line.acknowledge(seq);
                    }
                    if let Some(seq) = frame.resume {
                        line.let_go();
                        let last = from.last.max(line.sent());
                        return Next::From(From { after: seq.min(last), last, live: false });
                    }
                    Ok(())
                }
                Heard::Nothing => Ok(()),
                Heard::Nonsense => {
                    line.let_go();
                    let frame = CloseFrame { code: CloseCode::Policy, reason: "send {\"ack\":N} or {\"resume\":N}".into() };
                    socket.farewell(Message::Close(Some(frame))).await;
                    return Next::Closed;
                }
                Heard::End => Err(Over::Gone),
            },
            people = news(&mut people) => socket.send(Control::Present { people: &people }.message(), timings.drain).await,
            _ = heartbeat.tick() => {
                let frame = Control::Heartbeat { at: clock::now(), last_seq: Some(line.sent()) };
                socket.send(frame.message(), timings.drain).await
            }
            // It may have taken something since.
            () = sleep_until(too_slow_at.unwrap_or_else(Instant::now)), if too_slow_at.is_some() =>
                match line.too_slow_at(timings) {
                    Some(at) if at <= Instant::now() => Err(Over::Slow),
                    Some(_) | None => Ok(()),
                },
            () = &mut leaving => return away(socket).await,
        };
        if let Err(over) = outcome {
            break over;
        }
    };
    match over {
        Over::Gone => {}
        Over::Slow => {
            line.let_go();
            tracing::debug!(seq = line.sent().0, "a reader is too slow and is sent away");
            socket.farewell(Control::Resume { seq: line.sent(), reason: Reason::SlowReader }.message()).await;
        }
    }
    Next::Closed
}

fn unreadable(error: &CommandError) -> Next {
    tracing::error!(%error, "a log cannot be read for its reader");
    Next::Closed
}

/// Never, for one who is told.
async fn next(own: &mut Option<Log>) -> Option<Result<Vec<(Seq, Bytes)>, CommandError>> {
    match own {
        Some(log) => log.batches.next().await,
        None => std::future::pending().await,
    }
}

/// Never, where nobody asked.
async fn news(people: &mut Option<&mut Seat>) -> People {
    match people {
        Some(seat) => seat.news().await,
        None => std::future::pending().await,
    }
}

async fn away(socket: &mut Socket) -> Next {
    socket.line.let_go();
    let seq = socket.line.sent();
    socket.farewell(Control::Resume { seq, reason: Reason::GoingAway }.message()).await;
    Next::Closed
}

/// Everything that there is, then one flush.
async fn send_entries(socket: &mut Socket, batch: Vec<(Seq, Bytes)>, timings: &Timings) -> Result<(), Over> {
    for (seq, entry) in batch {
        let Ok(text) = Utf8Bytes::try_from(entry) else {
            tracing::error!(seq = seq.0, "an entry of the log is not UTF-8");
            return Err(Over::Gone);
        };
        socket.feed(Message::Text(text), timings.drain).await?;
        socket.line.send(seq);
    }
    socket.flush(timings.drain).await
}

enum Heard {
    Frame(ClientFrame),
    Nothing,
    Nonsense,
    End,
}

fn heard(message: Option<Result<Message, Error>>) -> Heard {
    match message {
        Some(Ok(Message::Text(text))) => ClientFrame::read(&text).map_or(Heard::Nonsense, Heard::Frame),
        Some(Ok(Message::Binary(_) | Message::Frame(_))) => Heard::Nonsense,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Heard::Nothing,
        Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::End,
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
