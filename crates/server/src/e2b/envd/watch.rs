//! What happens in a folder: as a stream, or kept until it is asked for.

use super::filesystem::found;
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
use lamplight_engine::{Change, LentFiles, WatchEvent, Watched, Watcher};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Events that wait to be asked for, and bytes of what they say; the oldest go first.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 16 * 1024 * 1024;

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
    events: Arc<Mutex<Waiting>>,
    _until: DropGuard,
}

/// Events that wait to be asked for.
#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Waiting {
    fn extend(&mut self, told: Vec<Event>) {
        self.bytes += told.iter().map(bytes).sum::<usize>();
        self.events.extend(told);
        while self.events.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= bytes(&oldest);
        }
    }

    fn take(&mut self) -> Vec<Event> {
        std::mem::take(self).events.into()
    }
}

/// Of what was named inside, where it can be long.
fn bytes(event: &Event) -> usize {
    let of_entry = event.entry.as_ref().map_or(0, |entry| {
        let metadata: usize = entry.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        let target = entry.symlink_target.as_ref().map_or(0, String::len);
        entry.name.len() + entry.path.len() + target + metadata
    });
    event.name.len() + of_entry
}

/// A folder that is watched for somebody.
struct Watching {
    watcher: Watcher,
    files: LentFiles,
    /// As it was asked for.
    path: String,
    with_entries: bool,
}

impl Watching {
    /// What happens next; `None` when nothing more will be heard.
    async fn next(&mut self) -> Option<Vec<Event>> {
        let Watched::Events { events } = self.watcher.next().await.ok()? else { return Some(Vec::new()) };
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            told.push(self.told(event).await);
        }
        Some(told)
    }

    async fn told(&self, event: WatchEvent) -> Event {
        let (kind, is_there) = match event.what {
            Change::Created => (EventType::Create, true),
            Change::Written => (EventType::Write, true),
            Change::Removed => (EventType::Remove, false),
            Change::Renamed => (EventType::Rename, false),
            Change::Attributes => (EventType::Chmod, true),
        };
        let entry = match is_there && self.with_entries {
            true => found(&self.files, self.at(&event.name)).await.ok().map(Box::new),
            false => None,
        };
        Event { name: event.name, kind, entry }
    }

    fn at(&self, name: &str) -> String {
        if name.is_empty() { self.path.clone() } else { path::join(&self.path, name) }
    }
}

/// `WatchDir`
pub(super) async fn stream(call: Call, request: Request) -> Response {
    let ping = rpc::ping(&call.headers);
    let watching = match begin(&call, rpc::first(request).await).await {
        Ok(watching) => watching,
        Err(error) => return rpc::ended(Some(&error)),
    };
    // Its reader may not be interrupted in the middle of a message, as a stream is by its signs of life.
    let (sender, events) = mpsc::channel(BEHIND);
    let (app, id) = (call.app.clone(), call.inside.sandbox.id.clone());
    app.clone().streams.spawn(async move {
        tokio::select! {
            () = pass_on(watching, &sender) => {}
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

async fn pass_on(mut watching: Watching, to: &mpsc::Sender<Event>) {
    while let Some(told) = watching.next().await {
        for event in told {
            if to.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// `CreateWatcher`
pub(super) async fn create(call: Call, request: Request) -> Answer {
    let watching = begin(&call, rpc::unary(request).await).await?;
    let id = call.inside.sandbox.id.clone();
    let (events, until) = (Arc::<Mutex<Waiting>>::default(), CancellationToken::new());
    let watchers = &call.app.e2b.watchers;
    let name = format!("w{}", watchers.made.fetch_add(1, Ordering::Relaxed));
    {
        let mut all = lock(&watchers.all);
        // Those of sandboxes that are gone.
        all.retain(|(of, _), _| call.app.engine.lent_sandbox(of).is_some());
        if all.keys().filter(|(of, _)| *of == id).count() >= MAX_WATCHERS {
            let path = &watching.path;
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
            () = keep(watching, &events) => {}
            () = until.cancelled() => {}
            () = app.engine.lent_stops(&id) => {}
            () = app.going_away.cancelled() => {}
        }
    });
    rpc::answer(&Named { watcher_id: name })
}

async fn keep(mut watching: Watching, events: &Mutex<Waiting>) {
    while let Some(told) = watching.next().await {
        lock(events).extend(told);
    }
}

/// `GetWatcherEvents`
pub(super) async fn events(call: Call, request: Request) -> Answer {
    let Named { watcher_id } = rpc::unary(request).await?;
    let all = lock(&call.app.e2b.watchers.all);
    let kept =
        all.get(&(call.inside.sandbox.id.clone(), watcher_id.clone())).ok_or_else(|| none(&watcher_id))?;
    let events = lock(&kept.events).take();
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

async fn begin(call: &Call, asked: Result<PathRequest, Error>) -> Result<Watching, Error> {
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
    Ok(Watching { watcher, files, path, with_entries: asked.include_entry })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: String) -> Event {
        Event { name, kind: EventType::Write, entry: None }
    }

    #[test]
    fn of_what_nobody_asks_for_the_newest_is_kept() {
        let mut waiting = Waiting::default();
        waiting.extend((0..KEPT + 3).map(|n| event(n.to_string())).collect());
        let kept = waiting.take();
        assert_eq!((kept.len(), &kept[0]), (KEPT, &event("3".into())));
        assert_eq!(waiting.take(), []);

        let long = "x".repeat(KEPT_BYTES / 4);
        for n in 0..6 {
            waiting.extend(vec![event(format!("{n}{}", &long[1..]))]);
        }
        let kept: Vec<char> = waiting.take().iter().filter_map(|event| event.name.chars().next()).collect();
        assert_eq!(kept, ['2', '3', '4', '5']);
    }
}
