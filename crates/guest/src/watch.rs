//! What happens in a folder, told to the host as the kernel tells it. Nothing is kept: a host that reads too slowly fills the kernel's
//! own queue, and is told that some of it was lost. Source: inotify(7).

use crate::agent::Hand;
use crate::guest::{failed, refusal};
use crate::stream::{Stream, send};
use lamplight_wire::watch::{Change, MAX_EVENTS, MAX_NAME, WatchEvent, Watched};
use lamplight_wire::{Code, Refusal, Reply};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;

/// Folders below one that is watched; in what is more, nothing is seen.
const MAX_FOLDERS: usize = 4096;

/// Bytes of events that are read at a time.
const PIECE: usize = 16 * 1024;

/// Tells what happens until the host leaves.
pub(crate) async fn serve(hand: Hand, path: &str, deep: bool, mut stream: Stream) -> io::Result<()> {
    let mut watch = match hand.touch(|| Watch::begin(hand, path, deep)) {
        Ok(watch) => watch,
        Err(refused) => return send(&mut stream, &Reply::Refused(refused)).await,
    };
    send(&mut stream, &Reply::Done).await?;
    let mut byte = [0];
    loop {
        let happened = tokio::select! {
            happened = watch.next() => happened?,
            // The host says nothing more; that it has left is all there is to hear.
            _ = stream.read(&mut byte) => return Ok(()),
        };
        for watched in happened {
            send(&mut stream, &watched).await?;
        }
    }
}

struct Watch {
    hand: Hand,
    queue: AsyncFd<OwnedFd>,
    /// By the kernel's number of each.
    folders: HashMap<i32, PathBuf>,
    root: PathBuf,
    deep: bool,
}

impl Watch {
    fn begin(hand: Hand, path: &str, deep: bool) -> Result<Self, Refusal> {
        let about = |error: &io::Error| failed(format!("watch {path}"), error);
        if !std::fs::metadata(path).map_err(|error| about(&error))?.is_dir() {
            return Err(refusal(Code::Unreadable, format!("{path} is no folder")));
        }
        let queue =
            inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(|e| about(&e.into()))?;
        // SAFETY: an OwnedFd keeps its one descriptor open until it is dropped, and nothing takes it out of the AsyncFd.
        let queue = unsafe { AsyncFd::register(queue) }.map_err(|error| about(&error.into()))?;
        let mut watch = Self { hand, queue, folders: HashMap::new(), root: path.into(), deep };
        watch.add(Path::new(path)).map_err(|error| about(&error))?;
        Ok(watch)
    }

    /// One folder, and where it is asked for those below it.
    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let wanted = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop().filter(|_| self.folders.len() < MAX_FOLDERS) {
            match inotify::add_watch(&self.queue, &folder, wanted) {
                Ok(number) => drop(self.folders.insert(number, folder.clone())),
                Err(error) if folder == self.root => return Err(error.into()),
                // It is gone again, or is not for the agent.
                Err(_) => continue,
            }
            if self.deep {
                let below = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                waiting.extend(folders.map(|entry| entry.path()));
            }
        }
        Ok(())
    }

    /// Waits for something to happen.
    async fn next(&mut self) -> io::Result<Vec<Watched>> {
        loop {
            let mut ready = self.queue.readable().await?;
            let mut piece = [MaybeUninit::uninit(); PIECE];
            let read = ready.try_io(|queue| Ok(take(queue.get_ref(), &mut piece)?));
            if let Ok(events) = read {
                return Ok(self.told(events?));
            }
        }
    }

    fn told(&mut self, raw: Vec<Raw>) -> Vec<Watched> {
        let mut events = Vec::new();
        let mut is_lost = false;
        for Raw { number, flags, name } in raw {
            is_lost |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            let Some(folder) = self.folders.get(&number) else { continue };
            if flags.contains(ReadFlags::IGNORED) {
                self.folders.remove(&number);
                continue;
            }
            let is_itself = name.is_empty();
            // Of a folder below, the one above tells.
            if is_itself && *folder != self.root {
                continue;
            }
            let path = if is_itself { folder.clone() } else { folder.join(&name) };
            let is_new = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            if self.deep && is_new && flags.contains(ReadFlags::ISDIR) {
                let hand = self.hand;
                let _ = hand.touch(|| self.add(&path));
            }
            let below = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
            if below.len() <= MAX_NAME {
                events.extend(changes(flags).map(|what| WatchEvent { what, name: below.clone() }));
            }
        }
        let told = events.chunks(MAX_EVENTS).map(|events| Watched::Events { events: events.to_vec() });
        told.chain(is_lost.then_some(Watched::Lost)).collect()
    }
}

/// An event as it was read.
struct Raw {
    number: i32,
    flags: ReadFlags,
    name: String,
}

/// One piece of what is in the queue.
fn take(queue: &OwnedFd, piece: &mut [MaybeUninit<u8>]) -> rustix::io::Result<Vec<Raw>> {
    let mut reader = inotify::Reader::new(queue, piece);
    let mut events = Vec::new();
    loop {
        let event = reader.next()?;
        let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        events.push(Raw { number: event.wd(), flags: event.events(), name });
        if reader.is_buffer_empty() {
            return Ok(events);
        }
    }
}

fn changes(flags: ReadFlags) -> impl Iterator<Item = Change> {
    let all = [
        (ReadFlags::CREATE | ReadFlags::MOVED_TO, Change::Created),
        (ReadFlags::MODIFY, Change::Written),
        (ReadFlags::DELETE | ReadFlags::DELETE_SELF, Change::Removed),
        (ReadFlags::MOVED_FROM | ReadFlags::MOVE_SELF, Change::Renamed),
        (ReadFlags::ATTRIB, Change::Attributes),
    ];
    all.into_iter().filter(move |(any, _)| flags.intersects(*any)).map(|(_, change)| change)
}
