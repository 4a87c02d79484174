//! The handle that everybody holds.

use crate::*;
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use std::path::Path;

/// The store. Cheap to clone; the last clone to go away closes it, after what was queued is written.
#[derive(Clone)]
pub struct Store {
    blobs: Blobs,
}

/// Derives the projections of one session from its log, for [`Store::rebuild_projections`].
pub trait Project: Send {
    /// The next entries in order; gives what search should find in them.
    fn take(&mut self, entries: &[(Seq, Bytes)]) -> Vec<(Seq, String)>;
    /// The session as lists show it, after its last entry.
    fn summary(self: Box<Self>) -> SummaryRow;
}

const LATER: &str = "not there yet";

impl Store {
    /// Opens the store in `dir`, making it when it is not there; refuses when another process has it open.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { blobs: Blobs::new(dir.join("blobs")) })
    }

    /// Adds to a session's log if it is where the caller thinks it is. Resolves when the entries are on disk.
    /// Dropping the future does not take back what was queued.
    pub async fn append(&self, append: Append) -> Result<Committed, AppendError> {
        let _ = append;
        Err(AppendError::Failed(LATER.into()))
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
        let _ = (session, after, limit_entries, limit_bytes);
        Err(ReadError::Failed(LATER.into()))
    }

    /// The last entries before `before`, in order; fewer than `limit_entries` when they would be more than 4 MiB.
    pub async fn read_before(
        &self,
        session: &SessionId,
        before: Seq,
        limit_entries: usize,
    ) -> Result<Vec<(Seq, Bytes)>, ReadError> {
        let _ = (session, before, limit_entries);
        Err(ReadError::Failed(LATER.into()))
    }

    /// The end of a session's log; 0 for a session that is not there.
    pub async fn last_seq(&self, session: &SessionId) -> Result<Seq, ReadError> {
        let _ = session;
        Err(ReadError::Failed(LATER.into()))
    }

    /// One page of sessions, newest first.
    pub async fn sessions(&self, query: SessionQuery) -> Result<SessionPage, ReadError> {
        let _ = query;
        Err(ReadError::Failed(LATER.into()))
    }

    pub async fn summary(&self, session: &SessionId) -> Result<Option<SummaryRow>, ReadError> {
        let _ = session;
        Err(ReadError::Failed(LATER.into()))
    }

    /// Sessions whose summary says `open`, oldest first.
    pub async fn unfinished(&self) -> Result<Vec<SessionId>, ReadError> {
        Err(ReadError::Failed(LATER.into()))
    }

    /// Where all of the words are, newest first; the last word may be only begun. Sees every append that was answered.
    pub async fn search(
        &self,
        query: &str,
        session: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<Hit>, ReadError> {
        let _ = (query, session, limit);
        Err(ReadError::Failed(LATER.into()))
    }

    /// Keeps the answer to a request for [`REMEMBER_MS`]. Gives what is remembered from now on: the first one wins.
    pub async fn remember(&self, answer: Remembered) -> Result<Remembered, WriteError> {
        let _ = answer;
        Err(WriteError::Failed(LATER.into()))
    }

    pub async fn recall(&self, key: &str, now: Timestamp) -> Result<Option<Remembered>, ReadError> {
        let _ = (key, now);
        Err(ReadError::Failed(LATER.into()))
    }

    /// Notes that `path` was worked on at `at`.
    pub async fn touch_repository(&self, path: &str, at: Timestamp) -> Result<(), WriteError> {
        let _ = (path, at);
        Err(WriteError::Failed(LATER.into()))
    }

    /// The repositories worked on last, newest first.
    pub async fn repositories(&self, limit: usize) -> Result<Vec<RecentRepository>, ReadError> {
        let _ = limit;
        Err(ReadError::Failed(LATER.into()))
    }

    /// Derives every summary and the whole search index again from the logs, in one transaction; appends wait.
    /// A session whose log is damaged keeps its summary. Gives how many sessions were read.
    pub async fn rebuild_projections<F>(&self, project: F) -> Result<usize, WriteError>
    where
        F: FnMut(&SessionId) -> Box<dyn Project> + Send + 'static,
    {
        let _ = project;
        Err(WriteError::Failed(LATER.into()))
    }

    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Writes what is queued, closes the database for every clone of this handle, and lets the next server in.
    pub async fn close(&self) {}
}
