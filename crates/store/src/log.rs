//! What is asked of the log, and what it answers.

use crate::{Remembered, SummaryRow, UsageRow};
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
    /// Stored in the same transaction: makes the append happen once for its key.
    pub once: Option<Remembered>,
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
    /// `once` names a key that is already taken; this is what is remembered for it.
    #[error("the key {:?} was used before", .0.key)]
    Repeated(Remembered),
    /// Nothing was stored; works again when there is space.
    #[error("no space left for the log")]
    StorageFull,
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
    #[error("the store cannot be read: {0}")]
    Failed(String),
}

/// Why something other than the log could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    #[error("no space left")]
    StorageFull,
    #[error("the store cannot be written: {0}")]
    Failed(String),
}

/// Why the store did not open.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("another Lamplight server is using {dir}: stop it first, or choose another data directory")]
    InUse { dir: String },
    #[error(
        "{dir} was written by a newer Lamplight (schema {found}, this one knows {known}): start the newer one"
    )]
    TooNew { dir: String, found: i64, known: i64 },
    #[error("{dir} cannot be opened")]
    Failed {
        dir: String,
        #[source]
        cause: anyhow::Error,
    },
}
