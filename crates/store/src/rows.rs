//! The rows of the projections, as callers see them.

use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Seq, SessionId, Timestamp};
use std::collections::HashMap;

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
    /// The name of whom it is for.
    pub person: String,
    /// Lists leave it out unless they are asked for such.
    pub archived: bool,
    /// Its last turn is a dead letter.
    pub dead: bool,
    /// JSON, not read here.
    pub body: String,
}

/// Which sessions to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    pub phase: Option<String>,
    pub repository: Option<String>,
    pub person: Option<String>,
    /// Those that are archived, instead of those that are not.
    pub archived: bool,
    /// Only those whose last turn is a dead letter.
    pub dead: bool,
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

/// One answered request to a model, as its session's log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The entry that tells it.
    pub seq: Seq,
    pub at: Timestamp,
    /// The name of the person that the session is for.
    pub person: String,
    pub repository: String,
    pub model: String,
    pub tokens: Tokens,
    /// In millionths of a dollar; `None` where no price was known.
    pub cost_micros: Option<u64>,
    /// By which list of prices; `None` in logs of before.
    pub priced_by: Option<String>,
    /// It is in part made from what was seen of an answer that did not say it.
    pub is_estimated: bool,
}

/// What is summed up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    Person,
    Repository,
    Model,
    /// The list of prices that the money was counted by; empty where that was not written down.
    Prices,
    Session,
    /// In UTC, as `2026-01-31`.
    Day,
}

/// What is summed up: from `since` on, and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    pub by: UsageBy,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl UsageQuery {
    /// Everything there ever was.
    pub fn all(by: UsageBy) -> Self {
        Self { by, since: None, until: None }
    }
}

/// What was spent in a stretch of time, in millionths of a dollar. There is an entry for each person and repository that asked a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    pub total_micros: u64,
    pub people: HashMap<String, u64>,
    pub repositories: HashMap<String, u64>,
}

/// Most sums in one answer.
pub const USAGE_SUMS: usize = 1000;

/// Sums of a stretch of time: the most expensive first, days the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub sums: Vec<UsageSum>,
    /// Of all, with an empty key.
    pub total: UsageSum,
    /// There are more than [`USAGE_SUMS`].
    pub is_cut: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// The person, repository, model, list of prices, session or day.
    pub key: String,
    /// Of a session.
    pub title: Option<String>,
    /// Answered requests.
    pub requests: u64,
    pub tokens: Tokens,
    /// In millionths of a dollar: of all that had a price.
    pub cost_micros: u64,
    /// Requests without a price, so that this is not all.
    pub unpriced: u64,
    /// Requests whose answers did not say all that they used.
    pub estimated: u64,
}
