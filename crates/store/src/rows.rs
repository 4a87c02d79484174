//! The rows of the projections, as callers see them.

use lamplight_domain::{Seq, SessionId, Timestamp};

/// One session as lists show it. The columns are what is asked for by; everything else is in `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_seq: Seq,
    pub phase: String,
    pub title: String,
    pub repository: String,
    pub agent: String,
    /// Something is still owed: the engine wakes this session when it starts.
    pub open: bool,
    /// JSON, not read here.
    pub body: String,
}

/// Which sessions to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    pub phase: Option<String>,
    /// Part of the title or the repository, or words found in the log.
    pub text: Option<String>,
    /// [`SessionPage::next`] of the page before.
    pub cursor: Option<String>,
    /// At most [`PAGE_SESSIONS`].
    pub limit: usize,
}

/// Most sessions on one page.
pub const PAGE_SESSIONS: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    pub items: Vec<SummaryRow>,
    pub next: Option<String>,
}

/// One place where searched words are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub session: SessionId,
    pub seq: Seq,
    /// The words in their surroundings; each found word between U+0002 and U+0003.
    pub snippet: String,
}

/// What was answered to a request that carried an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub key: String,
    /// Tells the same request from another one that reuses the key.
    pub fingerprint: String,
    pub response: String,
    pub at: Timestamp,
}

/// How long an idempotency key is remembered.
pub const REMEMBER_MS: u64 = 24 * 60 * 60_000;

/// A repository that was worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentRepository {
    pub path: String,
    pub last_used_at: Timestamp,
}
