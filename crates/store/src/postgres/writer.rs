//! The thread that writes to PostgreSQL.
//!
//! ```text
//!   queue ──► take what is there ──► one transaction ──► answer everybody ──┐
//!     ▲                                 │                                   │
//!     │                                 ├─ refused: nothing stored, everybody told, go on
//!     │                                 └─ connection lost: is the group there?
//!     │                                      connect until that is known ──► yes: answer · no: once more
//!     └─────────────────────────────────────────────────────────────────────┘
//! ```
//! Every group has a number, stored in the same transaction; so whoever connects again sees whether the last one came through. While that
//! takes long, whatever else is asked for is refused at once, so that nobody waits for a database that is not there.

use super::address::PostgresAddress;
use super::claim;
use super::session::Session;
use super::stage::{Stage, look_up};
use crate::StoreError;
use crate::jobs::{Job, ProjectEach, Record, Staged, Trouble, gather};
use crate::packs::Unpack;
use crate::quarantine::Quarantine;
use crate::rebuild;
use crate::sql::{Connection, Error, Result};
use anyhow::Context as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How often a group is begun whose connection is lost each time.
const TRIES: u32 = 3;
/// How long a lost connection is waited for before others are told.
const PATIENCE: Duration = Duration::from_secs(2);
/// From one attempt to connect to the next.
const BETWEEN: Duration = Duration::from_millis(100);

struct Writer {
    address: PostgresAddress,
    /// `None` while there is none.
    connection: Option<Connection>,
    /// Which server this is.
    server: i64,
    /// The number of the last group.
    group: i64,
    /// Since when there is no connection.
    away: Option<Instant>,
    quarantine: Arc<Quarantine>,
    closing: Option<oneshot::Sender<()>>,
    /// Of the directory with the blobs.
    lock: File,
}

/// Whether there is a connection.
enum Found {
    Connected,
    Unreachable(String),
    /// Nobody is to be answered any more.
    Closing,
}

/// Starts the thread, once it has a place at the database; gives the number of this server too.
pub(crate) fn start(
    dir: &Path,
    address: &PostgresAddress,
    lock: File,
    quarantine: Arc<Quarantine>,
    queue: mpsc::Receiver<Job>,
) -> Result<(JoinHandle<()>, i64), StoreError> {
    let (dir, address) = (dir.to_owned(), address.clone());
    let place = address.to_string();
    let (tell, told) = sync_channel(1);
    let thread = thread::Builder::new().name("store-writer".into()).spawn(move || {
        let opened = claim::open_as(&address, &dir).and_then(|(session, server)| {
            let failed = |error: Error| StoreError::Failed { dir: address.to_string(), cause: error.into() };
            Ok((last_group(&session, server).map_err(failed)?, session, server))
        });
        match opened {
            Ok((group, session, server)) => {
                let connection = Some(Connection::Postgres(session));
                let writer = Writer {
                    address,
                    connection,
                    server,
                    group,
                    away: None,
                    quarantine,
                    closing: None,
                    lock,
                };
                // Whoever opens the store waits for this.
                let _ = tell.send(Ok(server));
                writer.run(queue);
            }
            Err(error) => {
                // Whoever hears of it may try again at once.
                drop(lock);
                let _ = tell.send(Err(error));
            }
        }
    });
    let failed = |cause: anyhow::Error| StoreError::Failed { dir: place.clone(), cause };
    let thread = thread.context("start the writer").map_err(failed)?;
    let server = told.recv().context("the writer ended").map_err(failed)??;
    Ok((thread, server))
}

impl Writer {
    /// Until somebody asks to close, or nobody is left to ask for anything.
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while self.closing.is_none()
            && let Some(job) = jobs.blocking_recv()
        {
            let (group, alone) = gather(job, &mut jobs);
            if !group.is_empty() {
                self.write(group, &mut jobs);
            }
            match alone {
                Some(Job::Close { reply }) => self.closing = Some(reply),
                // The index goes with the texts.
                Some(Job::Index { reply }) => drop(reply.send(Ok(()))),
                Some(Job::Rebuild { mut project, unpack, reply }) => {
                    let rebuilt = self.rebuild(&mut project, &*unpack, &mut jobs);
                    drop(reply.send(rebuilt.map_err(Into::into)));
                }
                Some(Job::Record(_)) | None => {}
            }
        }
        // A job that is being sent while the queue is dropped would stay in it, and its asker wait for an answer for ever.
        jobs.close();
        while jobs.blocking_recv().is_some() {}
        self.close();
    }

    fn write(&mut self, group: Vec<Record>, jobs: &mut mpsc::Receiver<Job>) {
        let answers = self.committed(&group, jobs);
        match answers {
            Ok(staged) => {
                group.into_iter().zip(staged).for_each(|(record, staged)| record.answer(Ok(staged)))
            }
            Err(trouble) => group.into_iter().for_each(|record| record.answer(Err(trouble.clone()))),
        }
    }

    /// What everybody is to be answered, once it is durable.
    fn committed(
        &mut self,
        group: &[Record],
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Result<Vec<Staged>, Trouble> {
        self.group += 1;
        let mut why = String::new();
        for _ in 0..TRIES {
            match self.found(jobs, false) {
                Found::Connected => {}
                Found::Unreachable(why) => return Err(Trouble::Unreachable(why)),
                Found::Closing => return Err(Trouble::Failed(CLOSED.into())),
            }
            let mut staged = None;
            let written = self.stage().write(group, &mut staged);
            match (written, staged) {
                (Ok(()), Some(staged)) => return Ok(staged),
                (Ok(()), None) => unreachable!("what was written was staged"),
                (Err(Error::Lost(lost)), staged) => {
                    tracing::warn!("the connection to the database is lost: {lost}");
                    why = lost;
                    if let Some(staged) = self.after_loss(group, staged, jobs)? {
                        return Ok(staged);
                    }
                }
                // Of two servers that wait for each other one gives way.
                (Err(error), _) if error.gives_way() => {
                    why = error.to_string();
                    drop(self.undo(&error));
                }
                (Err(error), _) => return Err(self.undo(&error)),
            }
        }
        Err(Trouble::Unreachable(why))
    }

    /// What was answered if the group is there; `None` if it is not, and can be written again.
    fn after_loss(
        &mut self,
        group: &[Record],
        staged: Option<Vec<Staged>>,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Result<Option<Vec<Staged>>, Trouble> {
        loop {
            self.connection = None;
            if !matches!(self.found(jobs, true), Found::Connected) {
                return Err(Trouble::Failed(
                    "it is not known whether it was stored; the server is being stopped".into(),
                ));
            }
            let is_there = last_group(self.session(), self.server).map(|last| last == self.group);
            let looked = match (is_there, &staged) {
                (Ok(false), _) => return Ok(None),
                (Ok(true), Some(_)) => return Ok(staged),
                (Ok(true), None) => look_up(self.session(), group),
                (Err(error), _) => Err(error),
            };
            match looked {
                Ok(staged) => return Ok(Some(staged)),
                Err(Error::Lost(_)) => {}
                Err(error) => return Err(Trouble::Failed(error.to_string())),
            }
        }
    }

    fn stage(&self) -> Stage<'_> {
        let connection = self.connection.as_ref().expect("it was found");
        Stage {
            connection,
            session: self.session(),
            quarantine: &self.quarantine,
            server: self.server,
            group: self.group,
        }
    }

    fn session(&self) -> &Session {
        match &self.connection {
            Some(Connection::Postgres(session)) => session,
            Some(Connection::Lite(_)) | None => unreachable!("a connection to PostgreSQL was found"),
        }
    }

    /// Looks whether there is a connection, and makes one if need be. With something in doubt it does not give up, unless the store is closed,
    /// and refuses what comes meanwhile.
    fn found(&mut self, jobs: &mut mpsc::Receiver<Job>, is_in_doubt: bool) -> Found {
        if self.connection.is_some() && !self.session().is_found_lost() {
            return Found::Connected;
        }
        self.connection = None;
        let since = *self.away.get_or_insert_with(Instant::now);
        loop {
            let why = match claim::again(&self.address, self.server) {
                Ok(session) => {
                    tracing::info!("the database is there again");
                    (self.connection, self.away) = (Some(Connection::Postgres(session)), None);
                    return Found::Connected;
                }
                Err(error) => error.to_string(),
            };
            if since.elapsed() >= PATIENCE {
                if !is_in_doubt {
                    return Found::Unreachable(why);
                }
                if self.refuse(jobs, &why) {
                    return Found::Closing;
                }
            }
            thread::sleep(BETWEEN);
        }
    }

    /// Answers whatever is queued. Gives whether the store is to be closed.
    fn refuse(&mut self, jobs: &mut mpsc::Receiver<Job>, why: &str) -> bool {
        let away = || Trouble::Unreachable(why.to_owned());
        loop {
            match jobs.try_recv() {
                Ok(Job::Record(record)) => record.answer(Err(away())),
                Ok(Job::Index { reply }) => drop(reply.send(Err(away().into()))),
                Ok(Job::Rebuild { reply, .. }) => drop(reply.send(Err(away().into()))),
                Ok(Job::Close { reply }) => {
                    self.closing = Some(reply);
                    return true;
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn rebuild(
        &mut self,
        project: &mut ProjectEach,
        unpack: Unpack<'_>,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Result<usize, Trouble> {
        match self.found(jobs, false) {
            Found::Connected => {}
            Found::Unreachable(why) => return Err(Trouble::Unreachable(why)),
            Found::Closing => return Err(Trouble::Failed(CLOSED.into())),
        }
        let Stage { connection, session, .. } = self.stage();
        let rebuilt = session.batch("BEGIN").and_then(|()| {
            let count = rebuild::rebuild(connection, project, unpack)?;
            session.batch("COMMIT")?;
            Ok(count)
        });
        rebuilt.map_err(|error| self.undo(&error))
    }

    /// After a failure nothing of the transaction is there.
    fn undo(&mut self, error: &Error) -> Trouble {
        if self.session().batch("ROLLBACK").is_err() {
            self.connection = None;
        }
        match error {
            _ if error.is_full() => Trouble::StorageFull,
            Error::Lost(why) => Trouble::Unreachable(why.clone()),
            Error::Lite(_) | Error::Postgres(_) | Error::Damaged(_) => Trouble::Failed(error.to_string()),
        }
    }

    /// The lock goes last: the next server may come in only when nothing of this one is left.
    fn close(self) {
        if let Some(Connection::Postgres(session)) = self.connection {
            claim::leave(&session, self.server);
        }
        drop(self.lock);
        if let Some(closing) = self.closing {
            // Whoever asked may have stopped waiting.
            let _ = closing.send(());
        }
    }
}

const CLOSED: &str = "the store is closed";

/// The number of the last group that is there.
fn last_group(session: &Session, server: i64) -> Result<i64> {
    let rows = session.query_of("SELECT last_group FROM written WHERE server = $1", &[&server])?;
    let row = rows
        .first()
        .ok_or_else(|| Error::Damaged("the database does not know this server any more".into()))?;
    row.try_get(0).map_err(|error| Error::Damaged(error.to_string()))
}
