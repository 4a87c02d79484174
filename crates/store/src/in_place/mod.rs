//! A store without threads: whoever asks does the work, on their own thread, with the same writer, over whose connection it is read too. It
//! is for simulations: there one thread has one clock, which moves on when nobody has anything to do, and must not while a disk is busy that
//! it knows nothing of.

mod together;

pub use together::{DatabaseClock, Together};

use crate::StoreError;
use crate::blobs::Rooms;
use crate::desk::Desk;
use crate::jobs::{Job, Trouble};
use crate::quarantine::Quarantine;
use crate::readers::Readers;
use crate::schema::{self, Opened, Others};
use crate::servers::Ours;
use crate::sql::Connection;
use crate::store::{Store, failed};
use crate::writer::Writer;
use anyhow::Context;
use futures::future::BoxFuture;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the disk below a store in place is like, and the way to it.
pub trait Disk: Send + Sync {
    /// Waited for before anything is written.
    fn write(&self) -> BoxFuture<'_, Result<(), Unwritten>>;

    /// Waited for after that, before whoever asked hears of it.
    fn written(&self) -> BoxFuture<'_, ()>;

    /// Waited for before anything is read.
    fn read(&self) -> BoxFuture<'_, Result<(), Away>>;
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritten {
    Full,
    /// The database cannot be reached; of one that is on the machine itself that is not so.
    Away,
}

/// The database cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away;

impl Store {
    /// Opens the store in `dir`, on SQLite, without threads: whoever asks does what they ask for, as quickly as this disk lets them.
    pub fn open_in_place(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let quarantine = Arc::new(Quarantine::default());
        let writer = InPlace::open(dir, Arc::clone(&quarantine), Arc::clone(&disk))?;
        Self::in_place(dir, writer, disk, Ours::new(0), quarantine)
    }

    /// Like [`Store::open_in_place`], as server number `server`, from 1 on, of those that have this database together; in `dir` there are
    /// blobs alone.
    pub fn open_together(
        dir: &Path,
        database: &Together,
        server: i64,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let writer = database.join(server, Arc::clone(&disk)).context("become one of its servers");
        let writer = writer.map_err(|cause| failed(dir, cause))?;
        Self::in_place(dir, writer, disk, Ours::new(server), Arc::default())
    }

    fn in_place(
        dir: &Path,
        writer: InPlace,
        disk: Arc<dyn Disk>,
        ours: Ours,
        quarantine: Arc<Quarantine>,
    ) -> Result<Self, StoreError> {
        let readers = || Readers::in_place(writer.place(), Arc::clone(&disk));
        let readers = [readers(), readers()];
        let rooms = Rooms::open(dir, None).context("open the blobs").map_err(|cause| failed(dir, cause))?;
        Ok(Self::of(Desk::InPlace(Box::new(writer)), None, readers, ours, quarantine, rooms))
    }
}

/// Whoever writes to the database; `None` once it is closed.
#[derive(Clone)]
pub(crate) struct Place(Arc<Mutex<Option<Writer>>>);

impl Place {
    fn new(writer: Writer) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where it is closed. What is read is committed: nothing else is there between two who write.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.lock().as_ref().map(|writer| read(writer.connection()))
    }
}

/// How one server comes to the writer.
pub(crate) struct InPlace {
    /// Everybody writes in turn.
    turn: tokio::sync::Mutex<()>,
    place: Place,
    /// Which of several this server is; 0 where there are no others.
    server: i64,
    disk: Arc<dyn Disk>,
    is_closed: AtomicBool,
}

impl InPlace {
    pub(crate) fn open(
        dir: &Path,
        quarantine: Arc<Quarantine>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let Opened { connection, lock, .. } = schema::open(dir, Others::None)?;
        let writer = Writer::new(connection, lock, quarantine).context("prepare to write");
        let writer = writer.map_err(|cause| failed(dir, cause))?;
        Ok(Self::of(Place::new(writer), 0, disk))
    }

    fn of(place: Place, server: i64, disk: Arc<dyn Disk>) -> Self {
        Self { turn: Default::default(), place, server, disk, is_closed: AtomicBool::new(false) }
    }

    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Does it before this returns. An error means that the writer is closed.
    pub(crate) async fn take(&self, job: Job) -> Result<(), ()> {
        let _turn = self.turn.lock().await;
        let found = self.disk.write().await;
        if self.is_closed() {
            return Err(());
        }
        self.write(job, found)?;
        self.disk.written().await;
        Ok(())
    }

    fn write(&self, job: Job, found: Result<(), Unwritten>) -> Result<(), ()> {
        let mut place = self.place.lock();
        let trouble = found.err().map(Trouble::from);
        match (job, trouble) {
            (Job::Close { reply }, trouble) => {
                self.is_closed.store(true, Ordering::Relaxed);
                match (self.server, place.as_mut()) {
                    (0, _) => {
                        let writer = place.take().ok_or(())?;
                        writer.close(Some(reply));
                    }
                    (server, Some(writer)) => {
                        if trouble.is_none() {
                            together::leave(writer, server);
                        }
                        let _ = reply.send(());
                    }
                    (_, None) => return Err(()),
                }
            }
            (Job::Record(record), Some(trouble)) => record.answer(Err(trouble)),
            (Job::Index { reply }, Some(trouble @ Trouble::Unreachable(_))) => {
                drop(reply.send(Err(trouble.into())));
            }
            (Job::Rebuild { reply, .. }, Some(trouble @ Trouble::Unreachable(_))) => {
                drop(reply.send(Err(trouble.into())));
            }
            (Job::Record(record), None) => {
                let writer = place.as_mut().ok_or(())?;
                writer.write_for(self.server);
                writer.take(vec![record], None);
            }
            (job @ (Job::Index { .. } | Job::Rebuild { .. }), _) => {
                place.as_mut().ok_or(())?.take(Vec::new(), Some(job));
            }
        }
        Ok(())
    }
}

impl From<Unwritten> for Trouble {
    fn from(why: Unwritten) -> Self {
        match why {
            Unwritten::Full => Self::StorageFull,
            Unwritten::Away => Self::Unreachable(Away.to_string()),
        }
    }
}

impl std::fmt::Display for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no way to it now")
    }
}
