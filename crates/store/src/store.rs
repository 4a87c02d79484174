//! The handle that everybody holds.

use crate::blobs::Rooms;
use crate::desk::{Desk, start};
use crate::history::{self, Unread};
use crate::jobs::{Job, Record, Reply};
use crate::packs::{self, Pack, Unpack, Unpacked};
use crate::quarantine::Quarantine;
use crate::readers::{Readers, Source};
use crate::servers::Ours;
use crate::sql::Connection;
use crate::{
    Append, AppendError, AuditEntry, AuditPage, AuditQuery, Bucket, Committed, Hit, PostgresAddress,
    ReadError, RecentRepository, Remembered, SealedSecret, SessionPage, SessionQuery, Spent, StoreError,
    SummaryRow, Usage, UsageQuery, UsageRow, WriteError, answers, audit, postgres, repositories, schema,
    search, secrets, sql, summaries, usage,
};
use anyhow::Context;
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Jobs that may wait for the writer; whoever comes when it is full waits to be let in.
const QUEUE_JOBS: usize = 4096;
/// Kibibytes of appends that may wait for the writer.
const QUEUE_KIB: usize = 64 * 1024;

/// The store. Cheap to clone; the last clone to go away closes it, after what was queued is written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` while it goes away.
    desk: Option<Desk>,
    room: Arc<Semaphore>,
    readers: Readers,
    /// A connection that nobody else uses, so that a lease is renewed whatever is being read.
    keeper: Readers,
    ours: Ours,
    quarantine: Arc<Quarantine>,
    rooms: Rooms,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Where what a store holds is, if not in its directory.
#[derive(Debug, Default)]
pub struct Places {
    pub database: Option<PostgresAddress>,
    /// For blobs.
    pub bucket: Option<Bucket>,
}

/// Derives the projections of one session from its log, for [`Store::rebuild_projections`].
pub trait Project: Send {
    /// The next entries in order.
    fn take(&mut self, entries: &[(Seq, Bytes)]) -> Projected;
    /// The session as lists show it, after its last entry.
    fn summary(self: Box<Self>) -> SummaryRow;
}

/// What is derived from some entries, each under the one that it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projected {
    /// What search should find.
    pub text: Vec<(Seq, String)>,
    pub usage: Vec<UsageRow>,
}

impl Store {
    /// Opens the store in `dir`, on SQLite, making it when it is not there; refuses when another process has it open. Blocks for
    /// a few milliseconds.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_at(dir, Places::default())
    }

    /// Opens the store in a PostgreSQL database, of which blobs alone are in `dir`.
    pub fn open_postgres(dir: &Path, address: &PostgresAddress) -> Result<Self, StoreError> {
        Self::open_at(dir, Places { database: Some(address.clone()), bucket: None })
    }

    /// Opens the store at these places, making its tables when they are not there; refuses when another process has the directory. Other
    /// servers, with directories of their own, may use the same database and bucket. Blocks until the database has answered, or it is clear
    /// that it does not; the bucket is asked nothing yet.
    pub fn open_at(dir: &Path, places: Places) -> Result<Self, StoreError> {
        let quarantine = Arc::new(Quarantine::default());
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS);
        let (source, (writer, server)) = match places.database {
            None => {
                let (path, writer) = start(dir, Arc::clone(&quarantine), queue)?;
                (Source::Lite(path), (writer, 0))
            }
            Some(address) => {
                let lock = schema::claim(dir)?;
                let writer = postgres::start(dir, &address, lock, Arc::clone(&quarantine), queue)?;
                (Source::Postgres(Box::new(address)), writer)
            }
        };
        let readers = [Readers::new(source.clone()), Readers::new(source)];
        let rooms = Rooms::open(dir, places.bucket).context("open the blobs");
        let rooms = rooms.map_err(|cause| failed(dir, cause))?;
        Ok(Self::of(Desk::Thread(jobs), Some(writer), readers, Ours::new(server), quarantine, rooms))
    }

    pub(crate) fn of(
        desk: Desk,
        writer: Option<JoinHandle<()>>,
        [readers, keeper]: [Readers; 2],
        ours: Ours,
        quarantine: Arc<Quarantine>,
        rooms: Rooms,
    ) -> Self {
        let (desk, room) = (Some(desk), Arc::new(Semaphore::new(QUEUE_KIB)));
        let writer = Mutex::new(writer);
        Self { inner: Arc::new(Inner { desk, room, readers, keeper, ours, quarantine, rooms, writer }) }
    }

    /// Adds to a session's log if it is where the caller thinks it is. Resolves when the entries are on disk.
    /// Dropping the future does not take back what was queued.
    pub async fn append(&self, append: Append) -> Result<Committed, AppendError> {
        let gone = || AppendError::Failed(CLOSED.into());
        let kib =
            u32::try_from((append.size() / 1024 + 1).min(QUEUE_KIB)).expect("a queue is less than 4 TiB");
        let room = Arc::clone(&self.inner.room).acquire_many_owned(kib).await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let (session, is_new) = (append.session.clone(), append.expected_last == Seq(0));
        let (fence, term) = (self.inner.ours.fence(&session), self.inner.ours.term());
        self.send(Job::Record(Record::Append { append: Box::new(append), fence, reply, _room: room }))
            .await
            .map_err(|_| gone())?;
        let answer = answer.await.unwrap_or_else(|_| Err(gone()));
        match &answer {
            Ok(_) if is_new => self.inner.ours.hold(session, 1, term),
            Err(AppendError::Fenced) => self.inner.ours.lost(&session, fence),
            Ok(_) | Err(_) => {}
        }
        answer
    }

    /// Entries after `after`, in order, until one of the limits; at least one if there is one.
    /// Empty at the end of the log, and for a session that is not there.
    pub async fn read(
        &self,
        session: &SessionId,
        after: Seq,
        limit_entries: usize,
        limit_bytes: usize,
    ) -> Result<Vec<(Seq, Bytes)>, ReadError> {
        self.read_log(session, move |connection, session, unpack| {
            history::read(connection, session, after, (limit_entries, limit_bytes), unpack)
        })
        .await
    }

    /// The last entries before `before`, in order; fewer than `limit_entries` when they would be more than 4 MiB.
    pub async fn read_before(
        &self,
        session: &SessionId,
        before: Seq,
        limit_entries: usize,
    ) -> Result<Vec<(Seq, Bytes)>, ReadError> {
        self.read_log(session, move |connection, session, unpack| {
            history::read_before(connection, session, before, limit_entries, unpack)
        })
        .await
    }

    /// The end of a session's log; 0 for a session that is not there.
    pub async fn last_seq(&self, session: &SessionId) -> Result<Seq, ReadError> {
        self.read_log(session, |connection, session, _| history::last_seq(connection, session)).await
    }

    /// One page of sessions, newest first.
    pub async fn sessions(&self, query: SessionQuery) -> Result<SessionPage, ReadError> {
        if query.text.is_some() {
            self.index().await;
        }
        self.read_rows(move |connection| summaries::list(connection, &query)).await
    }

    /// Whether it can be written to and read from.
    pub async fn answers(&self) -> Result<(), ReadError> {
        if self.inner.desk.as_ref().is_none_or(Desk::is_closed) {
            return Err(ReadError::Failed(CLOSED.into()));
        }
        self.read_rows(|connection| connection.exists("SELECT 1", &[]).map(drop)).await
    }

    /// How many sessions that are not archived are in which phase.
    pub async fn phases(&self) -> Result<Vec<(String, i64)>, ReadError> {
        self.read_rows(summaries::phases).await
    }

    pub async fn summary(&self, session: &SessionId) -> Result<Option<SummaryRow>, ReadError> {
        let session = session.clone();
        self.read_rows(move |connection| summaries::one(connection, &session)).await
    }

    /// Sessions whose summary says `open`, oldest first, whosever they are.
    pub async fn unfinished(&self) -> Result<Vec<SessionId>, ReadError> {
        self.read_rows(summaries::unfinished).await
    }

    /// Where all of the words are, newest first; the last word may be only begun. Sees every append that was answered.
    pub async fn search(
        &self,
        query: &str,
        session: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<Hit>, ReadError> {
        self.index().await;
        let (query, session) = (query.to_owned(), session.cloned());
        self.read_rows(move |connection| search::find(connection, &query, session.as_ref(), limit)).await
    }

    /// What models were asked for, summed up. Sees every append that was answered.
    pub async fn usage(&self, query: UsageQuery) -> Result<Usage, ReadError> {
        self.read_rows(move |connection| usage::sums(connection, &query)).await
    }

    /// What was spent from `since` on, and before `until`, of all and of each.
    pub async fn spent(&self, since: Timestamp, until: Timestamp) -> Result<Spent, ReadError> {
        self.read_rows(move |connection| usage::spent(connection, since, until)).await
    }

    /// Keeps the answer to a request for [`crate::REMEMBER_MS`]. Gives what is remembered from now on: the first wins.
    pub async fn remember(&self, answer: Remembered) -> Result<Remembered, WriteError> {
        self.ask(|reply| Job::Record(Record::Remember { answer, reply })).await
    }

    pub async fn recall(&self, key: &str, now: Timestamp) -> Result<Option<Remembered>, ReadError> {
        let key = key.to_owned();
        self.read_rows(move |connection| answers::recall(connection, &key, now)).await
    }

    /// Notes that `path` was worked on at `at`.
    pub async fn touch_repository(&self, path: &str, at: Timestamp) -> Result<(), WriteError> {
        let path = path.to_owned();
        self.ask(|reply| Job::Record(Record::TouchRepository { path, at, reply })).await
    }

    /// The repositories worked on last, newest first.
    pub async fn repositories(&self, limit: usize) -> Result<Vec<RecentRepository>, ReadError> {
        self.read_rows(move |connection| repositories::recent(connection, limit)).await
    }

    /// Keeps a secret that is sealed already, in place of the one that had its name.
    pub async fn set_secret(&self, secret: SealedSecret) -> Result<(), WriteError> {
        self.ask(|reply| Job::Record(Record::SetSecret { secret, reply })).await
    }

    /// Whether there was one.
    pub async fn remove_secret(&self, name: &str) -> Result<bool, WriteError> {
        let name = name.to_owned();
        self.ask(|reply| Job::Record(Record::RemoveSecret { name, reply })).await
    }

    /// The secret of this name, as it is sealed.
    pub async fn secret(&self, name: &str) -> Result<Option<SealedSecret>, ReadError> {
        let name = name.to_owned();
        self.read_rows(move |connection| secrets::one(connection, &name)).await
    }

    /// All secrets, as they are sealed, by name.
    pub async fn secrets(&self) -> Result<Vec<SealedSecret>, ReadError> {
        self.read_rows(secrets::all).await
    }

    /// Adds to what nobody can change any more. Resolves when it is on disk.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), WriteError> {
        self.ask(|reply| Job::Record(Record::Audit { entry, reply })).await
    }

    /// What was asked for, the newest first.
    pub async fn audited(&self, query: AuditQuery) -> Result<AuditPage, ReadError> {
        self.read_rows(move |connection| audit::list(connection, &query)).await
    }

    /// Derives every summary, every count of what was used and the whole search index again from the logs, in one transaction;
    /// appends wait. A session whose log is damaged keeps its summary, and of the rest what was used. Gives how many sessions were read.
    pub async fn rebuild_projections<F>(&self, project: F) -> Result<usize, WriteError>
    where
        F: FnMut(&SessionId) -> Box<dyn Project> + Send + 'static,
    {
        let (blobs, runtime) = (self.blobs().clone(), Handle::current());
        let unpack = Box::new(move |pack: &Pack| packs::wait_for(&runtime, &blobs, pack));
        self.ask(|reply| Job::Rebuild { project: Box::new(project), unpack, reply }).await
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.inner.rooms
    }

    /// Writes what is queued, closes the database for every clone of this handle, hands what is this server's to the others, and lets the
    /// next one in.
    pub async fn close(&self) {
        self.inner.readers.close();
        self.inner.keeper.close();
        let (reply, closed) = oneshot::channel();
        if self.send(Job::Close { reply }).await.is_ok() {
            // An error means that the writer was closing already.
            let _ = closed.await;
        }
    }

    /// Reads, and again each time that a pack was missing for it: nobody keeps a connection while a blob is on its way.
    pub(crate) async fn read_log<T, F>(&self, session: &SessionId, read: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: Fn(&Connection, &SessionId, Unpack<'_>) -> Result<T, Unread> + Send + Sync + 'static,
    {
        let (read, mut unpacked) = (Arc::new(read), Unpacked::default());
        let result = loop {
            let (wanted, read, here) = (session.clone(), Arc::clone(&read), unpacked.clone());
            let unpack = move |pack: &Pack| here.find(pack);
            match self.inner.readers.with(move |connection| read(connection, &wanted, &unpack)).await {
                Err(Unread::Packed(pack)) => match unpacked.get(self.blobs(), pack).await {
                    Ok(()) => {}
                    Err(unread) => break Err(unread),
                },
                result => break result,
            }
        };
        if let Err(Unread::Damaged(what)) = &result {
            self.inner.quarantine.add(session, what);
        }
        result.map_err(ReadError::from)
    }

    pub(crate) async fn read_rows<T, F>(&self, read: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> sql::Result<T> + Send + 'static,
    {
        let rows = self.inner.readers.with(move |connection| read(connection).map_err(Unread::of_rows)).await;
        rows.map_err(ReadError::from)
    }

    pub(crate) async fn keep<T, F>(&self, keep: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> sql::Result<T> + Send + 'static,
    {
        let kept = self.inner.keeper.with(move |connection| keep(connection).map_err(Unread::of_rows)).await;
        kept.map_err(ReadError::from)
    }

    pub(crate) fn ours(&self) -> &Ours {
        &self.inner.ours
    }

    /// Without space, or when writing has stopped, search finds what is indexed.
    async fn index(&self) {
        let _: Result<(), WriteError> = self.ask(|reply| Job::Index { reply }).await;
    }

    pub(crate) async fn ask<T>(
        &self,
        job: impl FnOnce(Reply<T, WriteError>) -> Job,
    ) -> Result<T, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply)).await.map_err(|_| WriteError::Failed(CLOSED.into()))?;
        answer.await.unwrap_or_else(|_| Err(WriteError::Failed(CLOSED.into())))
    }

    async fn send(&self, job: Job) -> Result<(), ()> {
        self.inner.desk.as_ref().ok_or(())?.send(job).await
    }
}

pub(crate) fn failed(dir: &Path, cause: anyhow::Error) -> StoreError {
    StoreError::Failed { dir: dir.display().to_string(), cause }
}

const CLOSED: &str = "the store is closed";

impl Drop for Inner {
    /// The lock must be free when the last handle is gone: the writer finishes what is queued, which is bounded.
    fn drop(&mut self) {
        self.readers.close();
        self.keeper.close();
        self.desk = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            tracing::error!("the writer of the store panicked");
        }
    }
}
