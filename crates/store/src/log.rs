//! What is asked of the log, and what it answers.

use crate::batch::SEPARATOR;
use crate::{AuditEntry, NoticeRow, Remembered, SummaryRow, UsageRow};
use bytes::Bytes;
use lamplight_domain::{Seq, SessionId, Timestamp};
use thiserror::Error;

/// Most bytes that one append may carry; an actor packs far less.
pub const APPEND_BYTES: usize = 16 * 1024 * 1024;

/// One append: several entries of one session, which are stored together or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    pub session: SessionId,
    /// The last entry that the caller knows of; 0 for a new session.
    pub expected_last: Seq,
    pub at: Timestamp,
    /// One JSON entry each, at least one, in order; the first is `expected_last + 1`. No raw line feed inside.
    pub entries: Vec<Bytes>,
    /// The session as lists show it after these entries.
    pub summary: Option<SummaryRow>,
    /// What search should find, each under the entry that it comes from.
    pub text: Vec<(Seq, String)>,
    /// What the entries tell of requests to models, each under its entry.
    pub usage: Vec<UsageRow>,
    /// What hooks are told, each under the entry that it comes from; at most one for an entry.
    pub notices: Vec<NoticeRow>,
    /// Stored in the same transaction: makes the append happen once for its key.
    pub once: Option<Remembered>,
    /// Who asked for it, for the audit log: written if it is, and only then.
    pub audited: Vec<AuditEntry>,
}

impl Append {
    /// What the caller must have got right for the log to stay readable.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let count = self.entries.len() as u64;
        let last = self.expected_last.0.checked_add(count).filter(|last| *last <= i64::MAX as u64);
        let Some(last) = last else { return Err("the log cannot be that long") };
        if self.entries.is_empty() {
            return Err("there is no entry in it");
        }
        if self.size() > APPEND_BYTES {
            return Err("it is too large");
        }
        if self.entries.iter().any(|entry| entry.is_empty() || entry.contains(&SEPARATOR)) {
            return Err("an entry is not one line of JSON");
        }
        if self.summary.as_ref().is_some_and(|row| row.id != self.session || row.last_seq.0 != last) {
            return Err("the summary is of another session or another moment");
        }
        let is_elsewhere = |seq: Seq| seq <= self.expected_last || seq.0 > last;
        if self.text.iter().any(|(seq, _)| is_elsewhere(*seq)) {
            return Err("a text belongs to none of the entries");
        }
        if self.usage.iter().any(|row| is_elsewhere(row.seq)) {
            return Err("a count of what was used belongs to none of the entries");
        }
        if self.notices.iter().any(|row| is_elsewhere(row.seq)) {
            return Err("a notice belongs to none of the entries");
        }
        Ok(())
    }

    /// Bytes that it keeps in memory while it is queued.
    pub(crate) fn size(&self) -> usize {
        let entries: usize = self.entries.iter().map(|entry| entry.len() + 1).sum();
        let text: usize = self.text.iter().map(|(_, text)| text.len()).sum();
        let notices: usize = self.notices.iter().map(|row| row.body.len()).sum();
        let audited: usize = self.audited.iter().map(AuditEntry::size).sum();
        entries + text + notices + audited + self.summary.as_ref().map_or(0, |summary| summary.body.len())
    }
}

/// Proof that an append is on disk. Only the store makes one, so whatever needs one cannot be early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The last entry of the append.
    pub last: Seq,
}

/// Why an append is not in the log. After [`AppendError::Failed`] it may still be found there by the next process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    #[error("the log of this session is at {actual}, not where the caller thought")]
    Conflict { actual: Seq },
    /// The session is another server's, or may be: it has to be claimed first.
    #[error("this session is at another server")]
    Fenced,
    /// `once` names a key that is already taken; this is what is remembered for it.
    #[error("the key {:?} was used before", .0.key)]
    Repeated(Remembered),
    /// Nothing was stored; works again when there is space.
    #[error("no space left for the log")]
    StorageFull,
    /// The database cannot be reached now, and nothing was stored; works again when it can be.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A stored entry of this session is damaged; nothing is added to its log.
    #[error("the log of this session is damaged: {0}")]
    Quarantined(String),
    /// The append itself is malformed.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// The disk failed (or the store is closed). It stays so until the process is started again.
    #[error("the log cannot be written: {0}")]
    Failed(String),
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// What is stored is not what was written. The session is quarantined from here on.
    #[error("the log of this session is damaged: {0}")]
    Quarantined(String),
    /// The database cannot be reached now.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// What of the log is in blobs cannot be had now.
    #[error("what was packed of the log cannot be read now: {0}")]
    Unavailable(String),
    #[error("the store cannot be read: {0}")]
    Failed(String),
}

/// Why something other than the log could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    #[error("no space left")]
    StorageFull,
    /// The database cannot be reached now, and nothing was stored; works again when it can be.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    #[error("the store cannot be written: {0}")]
    Failed(String),
}

/// Why the store did not open.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("another Lamplight server is using {dir}: stop it first, or choose another place")]
    InUse { dir: String },
    #[error(
        "{dir} was written by a newer Lamplight (schema {found}, this one knows {known}): start the newer one"
    )]
    TooNew { dir: String, found: i64, known: i64 },
    /// The database does not keep what it says it keeps, or is too old.
    #[error("{place} cannot be used: {why}")]
    Unfit { place: String, why: String },
    #[error("{dir} cannot be opened")]
    Failed {
        dir: String,
        #[source]
        cause: anyhow::Error,
    },
}
