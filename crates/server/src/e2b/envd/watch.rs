//! What happens in a folder: as a stream, or kept until it is asked for.

use super::path;
use super::rpc::{self, Answer, Call, of_file};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use lamplight_domain::SessionId;
use lamplight_e2b::connect::{self, Code, Error};
use lamplight_e2b::filesystem::{
    Event, EventType, EventsResponse, PathRequest, WatchResponse, Watcher as Named,
};
use lamplight_e2b::process::Nothing;
use lamplight_engine::{Change, Watched, Watcher};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Events that wait to be asked for; the oldest go first.
const KEPT: usize = 10_000;

/// Of one sandbox.
const MAX_WATCHERS: usize = 32;

/// Events that a stream may be behind.
const BEHIND: usize = 256;

/// Those whose events are asked for, of all sandboxes.
#[derive(Default)]
pub(in crate::e2b) struct Watchers {
    made: AtomicU64,
    all: Mutex<HashMap<(SessionId, String), Kept>>,
}

struct Kept {
    events: Arc<Mutex<VecDeque<Event>>>,
    _until: DropGuard,
}

/// `WatchDir`
pub(super) async fn stream(call: Call, request: Request) -> Response {
    let ping = rpc::ping(&call.headers);
    let watcher = match begin(&call, rpc::first(request).await).await {
        Ok((watcher, _)) => watcher,
        Err(error) => return rpc::ended(Some(&error)),
    };
    // Its reader may not be interrupted in the middle of a message, as a stream is by its signs of life.
    let (sender, events) = mpsc::channel(BEHIND);
    let (app, id) = (call.app.clone(), call.inside.sandbox.id.clone());
    app.clone().streams.spawn(async move {
        tokio::select! {
            () = pass_on(watcher, &sender) => {}
            () = sender.closed() => {}
            () = app.engine.lent_stops(&id) => {}
            () = app.going_away.cancelled() => {}
        }
    });
    let first = connect::encode(&WatchResponse::Start {});
    let frames = futures::stream::unfold((Some(first), events), move |(first, mut events)| async move {
        let frame = match first {
            Some(first) => Ok(first),
            None => next(&mut events, ping).await,
        };
        Some((frame, (None, events)))
    });
    rpc::stream(frames)
}

async fn next(events: &mut mpsc::Receiver<Event>, ping: Duration) -> io::Result<Bytes> {
    match tokio::time::timeout(ping, events.recv()).await {
        Ok(Some(event)) => Ok(connect::encode(&WatchResponse::Filesystem(event))),
        Ok(None) => Err(io::ErrorKind::ConnectionReset.into()),
        Err(_) => Ok(connect::encode(&WatchResponse::Keepalive {})),
    }
}

async fn pass_on(mut watcher: Watcher, to: &mpsc::Sender<Event>) {
    while let Ok(watched) = watcher.next().await {
        for event in told(watched) {
            if to.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// `CreateWatcher`
pub(super) async fn create(call: Call, request: Request) -> Answer {
    let (watcher, path) = begin(&call, rpc::unary(request).await).await?;
    let id = call.inside.sandbox.id.clone();
    let (events, until) = (Arc::<Mutex<VecDeque<Event>>>::default(), CancellationToken::new());
    let watchers = &call.app.e2b.watchers;
    let name = format!("w{}", watchers.made.fetch_add(1, Ordering::Relaxed));
    {
        let mut all = lock(&watchers.all);
        // Those of sandboxes that are gone.
        all.retain(|(of, _), _| call.app.engine.lent_sandbox(of).is_some());
        if all.keys().filter(|(of, _)| *of == id).count() >= MAX_WATCHERS {
            let why =
                format!("there are {MAX_WATCHERS} watchers already; remove one before {path} is watched");
            return Err(Error::new(Code::ResourceExhausted, why));
        }
        let kept = Kept { events: events.clone(), _until: until.clone().drop_guard() };
        all.insert((id.clone(), name.clone()), kept);
    }
    let app = call.app.clone();
    app.clone().streams.spawn(async move {
        tokio::select! {
            () = keep(watcher, &events) => {}
            () = until.cancelled() => {}
            () = app.engine.lent_stops(&id) => {}
            () = app.going_away.cancelled() => {}
        }
    });
    rpc::answer(&Named { watcher_id: name })
}

async fn keep(mut watcher: Watcher, events: &Mutex<VecDeque<Event>>) {
    while let Ok(watched) = watcher.next().await {
        let mut events = lock(events);
        events.extend(told(watched));
        let excess = events.len().saturating_sub(KEPT);
        events.drain(..excess);
    }
}

/// `GetWatcherEvents`
pub(super) async fn events(call: Call, request: Request) -> Answer {
    let Named { watcher_id } = rpc::unary(request).await?;
    let all = lock(&call.app.e2b.watchers.all);
    let kept =
        all.get(&(call.inside.sandbox.id.clone(), watcher_id.clone())).ok_or_else(|| none(&watcher_id))?;
    let events = lock(&kept.events).drain(..).collect();
    rpc::answer(&EventsResponse { events })
}

/// `RemoveWatcher`
pub(super) async fn remove(call: Call, request: Request) -> Answer {
    let Named { watcher_id } = rpc::unary(request).await?;
    let removed =
        lock(&call.app.e2b.watchers.all).remove(&(call.inside.sandbox.id.clone(), watcher_id.clone()));
    removed.map(drop).ok_or_else(|| none(&watcher_id))?;
    rpc::answer(&Nothing {})
}

fn none(watcher: &str) -> Error {
    Error::new(Code::NotFound, format!("watcher with id {watcher} not found"))
}

async fn begin(call: &Call, asked: Result<PathRequest, Error>) -> Result<(Watcher, String), Error> {
    let asked = asked?;
    let (files, path) = call.files(&asked.path).await?;
    let there = files.stat(&path).await.map_err(|error| of_file(error, &path))?;
    // What is watched is the folder itself, whatever leads there.
    let at = there.real.unwrap_or_else(|| path.clone());
    let watcher = files.watch(&at, asked.recursive).await.map_err(|error| match error {
        lamplight_engine::Unfiled::Another(_) => {
            Error::new(Code::InvalidArgument, format!("path {} is not a directory", path::name(&path)))
        }
        error => of_file(error, &path),
    })?;
    Ok((watcher, path))
}

fn told(watched: Watched) -> Vec<Event> {
    let Watched::Events { events } = watched else { return Vec::new() };
    let event = |event: lamplight_engine::WatchEvent| Event {
        name: event.name,
        kind: match event.what {
            Change::Created => EventType::Create,
            Change::Written => EventType::Write,
            Change::Removed => EventType::Remove,
            Change::Renamed => EventType::Rename,
            Change::Attributes => EventType::Chmod,
        },
    };
    events.into_iter().map(event).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
