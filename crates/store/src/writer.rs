//! The thread that writes to SQLite.
//!
//! ```text
//!   queue ──► take what is there ──► BEGIN, stage each, COMMIT (fsync) ──► answer everybody ──► tidy ──┐
//!     ▲                                     │                                                          │
//!     │                                     ├─ no space: nothing stored, everybody told, go on         │
//!     │                                     └─ the disk failed: stopped for good                       │
//!     └────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Stopped for good, because after a failed fsync the kernel may have thrown the pages away and says yes the next time:
//! what is on disk is known only by reading it again, which a new process does. Tidying (checkpoint, search index) comes
//! after the answers, so that it costs throughput and not latency.

use crate::batch::Batch;
use crate::jobs::{Job, Record, Staged, Trouble, gather};
use crate::quarantine::Quarantine;
use crate::sql::{self, Connection, params};
use crate::wal::Wal;
use crate::{
    Append, AppendError, Committed, answers, audit, history, hooks, rebuild, search, servers, summaries,
    usage,
};
use lamplight_domain::{Seq, SessionId};
use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{ErrorCode, MAIN_DB};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Logs whose end is kept in memory, some 100 bytes each; when there are more, all are forgotten and looked up again.
const ENDS_KEPT: usize = 16 * 1024;
/// Pages of 4 KiB in the write-ahead log after which they are copied into the database.
const CHECKPOINT_PAGES: u32 = 2048;
/// Pages after which writing waits for the readers, so that the write-ahead log can start again from its beginning.
const WAL_PAGES: u32 = 16 * 1024;
/// Texts that may wait for the search index, and how many are then indexed at a time.
const UNINDEXED_TEXTS: i64 = 256;

pub(crate) struct Writer {
    connection: Connection,
    ends: HashMap<SessionId, End>,
    quarantine: Arc<Quarantine>,
    /// Pages in the write-ahead log, as of the last commit.
    wal_pages: Arc<AtomicU32>,
    /// How many of them were there when they were last copied.
    wal_pages_copied: u32,
    /// Where somebody waits for its commits.
    wal: Option<Wal>,
    search_index: search::Index,
    /// Why nothing is written any more.
    stopped: Option<String>,
    /// Which of several servers it writes for; 0 where there are no others.
    server: i64,
    lock: File,
}

/// Where a log ends, the transaction under way included.
#[derive(Clone, Copy)]
struct End {
    log: Option<i64>,
    last: u64,
}

impl Writer {
    pub(crate) fn new(
        connection: rusqlite::Connection,
        lock: File,
        quarantine: Arc<Quarantine>,
    ) -> sql::Result<Self> {
        let mut connection = connection;
        let wal_pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&wal_pages);
        // Replaces SQLite's own checkpoints, which run inside a commit and keep their failures to themselves.
        connection.wal_hook(Some(move |_: &mut _, pages| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let connection = Connection::Lite(connection);
        Ok(Self {
            search_index: search::Index::load(&connection)?,
            connection,
            ends: HashMap::new(),
            quarantine,
            wal_pages,
            wal_pages_copied: 0,
            wal: None,
            stopped: None,
            server: 0,
            lock,
        })
    }

    /// Until somebody asks to close, or nobody is left to ask for anything.
    pub(crate) fn run(mut self, wal: Wal, mut jobs: mpsc::Receiver<Job>) {
        self.wal = Some(wal);
        let mut closing = None;
        while let Some(job) = jobs.blocking_recv() {
            let (group, alone) = gather(job, &mut jobs);
            let (alone, close) = match alone {
                Some(Job::Close { reply }) => (None, Some(reply)),
                alone => (alone, None),
            };
            self.take(group, alone);
            if close.is_some() {
                closing = close;
                break;
            }
        }
        // A job that is being sent while the queue is dropped would stay in it, and its asker wait for an answer for ever.
        jobs.close();
        while jobs.blocking_recv().is_some() {}
        self.close(closing);
    }

    /// What is taken from here on is this server's.
    pub(crate) fn write_for(&mut self, server: i64) {
        self.server = server;
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// These together, then that one alone, which is neither a record nor the close.
    pub(crate) fn take(&mut self, group: Vec<Record>, alone: Option<Job>) {
        if !group.is_empty() {
            self.write(group);
            self.tidy();
        }
        match alone {
            // Whoever asked may have gone away; the same holds for the next one.
            Some(Job::Index { reply }) => drop(reply.send(self.index_all().map_err(Into::into))),
            Some(Job::Rebuild { mut project, unpack, reply }) => {
                let rebuilt =
                    self.transact(|writer| rebuild::rebuild(&writer.connection, &mut project, &*unpack));
                match search::Index::load(&self.connection) {
                    Ok(index) => self.search_index = index,
                    Err(_) => self.search_index.abandon(),
                }
                drop(reply.send(rebuilt.map_err(Into::into)));
                self.tidy();
            }
            Some(Job::Record(_) | Job::Close { .. }) | None => {}
        }
    }

    /// One transaction for all of them.
    fn write(&mut self, group: Vec<Record>) {
        let staged: Result<Vec<Staged>, Trouble> =
            self.transact(|writer| group.iter().map(|record| writer.stage(record)).collect());
        match staged {
            Ok(staged) => {
                group.into_iter().zip(staged).for_each(|(record, staged)| record.answer(Ok(staged)))
            }
            Err(trouble) => group.into_iter().for_each(|record| record.answer(Err(trouble.clone()))),
        }
    }

    fn transact<T>(&mut self, work: impl FnOnce(&mut Self) -> sql::Result<T>) -> Result<T, Trouble> {
        if let Some(why) = &self.stopped {
            return Err(Trouble::Failed(why.clone()));
        }
        let done = self.execute("BEGIN IMMEDIATE").and_then(|()| {
            let value = work(self)?;
            self.execute("COMMIT")?;
            Ok(value)
        });
        done.map_err(|error| match error {
            sql::Error::Lite(error) => self.undo(&error),
            // A row that cannot be what was written: the transaction is undone, and the next one may be about others.
            other => {
                self.ends.clear();
                let why = other.to_string();
                if self.execute("ROLLBACK").is_ok() {
                    Trouble::Failed(why)
                } else {
                    Trouble::Failed(self.stop(&why))
                }
            }
        })
    }

    fn lite(&self) -> &rusqlite::Connection {
        match &self.connection {
            Connection::Lite(connection) => connection,
            Connection::Postgres(_) => unreachable!("this writer was given a connection to SQLite"),
        }
    }

    fn execute(&self, sql: &str) -> sql::Result<()> {
        self.connection.execute(sql, &[]).map(|_| ())
    }

    /// After a failure nothing of the transaction is there, in memory neither.
    fn undo(&mut self, error: &rusqlite::Error) -> Trouble {
        self.ends.clear();
        let rolled_back = self.lite().is_autocommit() || self.execute("ROLLBACK").is_ok();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) if rolled_back => Trouble::StorageFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::OutOfMemory) if rolled_back => {
                Trouble::Failed(error.to_string())
            }
            // The search index can be made again; the log does not stop for it.
            _ if rolled_back && is_damaged_index(error) => Trouble::Failed(error.to_string()),
            _ => Trouble::Failed(self.stop(&error.to_string())),
        }
    }

    fn stop(&mut self, error: &str) -> String {
        let why = format!("{error}; start the server again when the disk is well");
        tracing::error!("the store stops writing: {why}");
        // Closing must not copy the write-ahead log either: its fsync could now succeed without having written.
        if let Err(error) = self.lite().set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            tracing::error!("the store cannot be kept from a checkpoint at its end: {error}");
        }
        self.stopped = Some(why.clone());
        why
    }

    fn stage(&mut self, record: &Record) -> sql::Result<Staged> {
        match record {
            Record::Append { append, fence, .. } => self.stage_append(append, *fence).map(Staged::Append),
            other => other.stage(&self.connection),
        }
    }

    fn stage_append(&mut self, append: &Append, fence: i64) -> sql::Result<Result<Committed, AppendError>> {
        if let Some(what) = self.quarantine.what(&append.session) {
            return Ok(Err(AppendError::Quarantined(what)));
        }
        if let Err(why) = append.check() {
            return Ok(Err(AppendError::Refused(why)));
        }
        if let Some(once) = &append.once
            && let Some(known) = answers::recall(&self.connection, &once.key, once.at)?
        {
            return Ok(Err(AppendError::Repeated(known)));
        }
        let end = self.end(&append.session)?;
        if let (Some(log), 1..) = (end.log, self.server)
            && append.expected_last > Seq(0)
            && servers::fence(&self.connection, log)? != fence
        {
            return Ok(Err(AppendError::Fenced));
        }
        if end.last != append.expected_last.0 {
            return Ok(Err(AppendError::Conflict { actual: Seq(end.last) }));
        }
        let log = match end.log {
            Some(log) => log,
            None if self.server == 0 => new_log(&self.connection, &append.session)?,
            None => servers::new_log(&self.connection, &append.session, self.server)?,
        };
        let (first, last) = (end.last + 1, end.last + append.entries.len() as u64);
        Batch::seal(&append.session, first, last, append.at, &append.entries)
            .insert(&self.connection, log)?;
        if let Some(summary) = &append.summary {
            summaries::store(&self.connection, log, summary)?;
        }
        self.search_index.add(&self.connection, log, &append.text)?;
        for row in &append.usage {
            usage::store(&self.connection, log, row)?;
        }
        for notice in &append.notices {
            hooks::tell(&self.connection, &append.session, append.at, notice)?;
        }
        if let Some(once) = &append.once {
            answers::remember(&self.connection, once)?;
        }
        for entry in &append.audited {
            audit::add(&self.connection, entry)?;
        }
        self.ends.insert(append.session.clone(), End { log: Some(log), last });
        Ok(Ok(Committed { last: Seq(last) }))
    }

    fn end(&mut self, session: &SessionId) -> sql::Result<End> {
        if let Some(end) = self.ends.get(session) {
            return Ok(*end);
        }
        if self.ends.len() >= ENDS_KEPT {
            self.ends.clear();
        }
        let log = history::number(&self.connection, session)?;
        let last = log.map_or(Ok(0), |log| history::end(&self.connection, log))?;
        Ok(End { log, last })
    }

    /// What can wait until everybody is answered. Trouble here is nobody's answer: without space it is tried again
    /// after the next transaction, and a failed disk stops the writer.
    fn tidy(&mut self) {
        if self.search_index.waiting() >= UNINDEXED_TEXTS
            && let Err(trouble) = self.index_some()
        {
            tracing::warn!("search does not find the newest texts: {trouble:?}");
        }
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.wal_pages_copied {
            self.wal_pages_copied = 0;
        }
        if self.stopped.is_none() && pages - self.wal_pages_copied >= CHECKPOINT_PAGES {
            let mode = if pages < WAL_PAGES { CheckpointMode::PASSIVE } else { CheckpointMode::RESTART };
            self.wal_pages_copied = pages;
            match self.lite().wal_checkpoint_v2(Some(MAIN_DB), mode) {
                Ok(_) => {}
                Err(error) if waits(&error) => {
                    tracing::warn!("the write-ahead log is not copied now: {error}")
                }
                Err(error) => drop(self.stop(&error.to_string())),
            }
        }
        if self.stopped.is_none()
            && let Some(Err(error)) = self.wal.as_mut().map(|wal| wal.keep_ahead(pages))
        {
            // What is wrong with the disk is told to whoever commits next.
            tracing::debug!("the write-ahead log gets no room before it needs it: {error}");
        }
    }

    fn index_all(&mut self) -> Result<(), Trouble> {
        while self.search_index.waiting() > 0 {
            self.index_some()?;
        }
        Ok(())
    }

    fn index_some(&mut self) -> Result<(), Trouble> {
        let step = self.transact(|writer| writer.search_index.step(&writer.connection, UNINDEXED_TEXTS));
        match step {
            Ok(step) => self.search_index.stepped(step),
            // Waits until there is space.
            Err(Trouble::StorageFull) => return Err(Trouble::StorageFull),
            Err(trouble) => {
                self.search_index.abandon();
                return Err(trouble);
            }
        }
        Ok(())
    }

    /// The lock goes last: the next server may come in only when nothing of this one is left.
    pub(crate) fn close(self, closing: Option<oneshot::Sender<()>>) {
        if let Connection::Lite(connection) = self.connection
            && let Err((_, error)) = connection.close()
        {
            tracing::error!("the store did not close well: {error}");
        }
        drop(self.lock);
        if let Some(closing) = closing {
            // Whoever asked may have stopped waiting.
            let _ = closing.send(());
        }
    }
}

fn new_log(connection: &Connection, session: &SessionId) -> sql::Result<i64> {
    let insert = "INSERT INTO logs (session) VALUES (?1) RETURNING number";
    Ok(connection.row(insert, params![session.as_str()], |row| row.get(0))?.unwrap_or_default())
}

/// No space, or readers in the way: passes by itself.
fn waits(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy))
}

fn is_damaged_index(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CORRUPT_VTAB)
}
