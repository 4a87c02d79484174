//! Guards, as the API shows them.

use lamplight_domain::event::{self, Guard};
use lamplight_domain::session::view;
use lamplight_domain::{Limits, SomeLimits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Of what a guard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardPer {
    Turn,
    /// All turns together.
    Session,
}

/// What one guard allows: tool calls, tokens, milliseconds or millionths of a dollar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardLimit {
    pub guard: Guard,
    pub per: GuardPer,
    pub limit: u64,
}

/// How one guard of a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardState {
    pub guard: Guard,
    pub per: GuardPer,
    pub limit: u64,
    /// In what it counts; of one turn, 0 between turns.
    pub counted: u64,
    /// A person let it go on past it: `limit` is until the end of this turn.
    pub raised: bool,
}

/// The guard that keeps a session from going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrippedGuard {
    /// Stable, for programs.
    pub guard: Guard,
    pub per: GuardPer,
    /// The turn that it ended, or after which no other begins.
    pub turn: u32,
    /// In one sentence.
    pub detail: String,
    /// `null` where it counts nothing.
    pub limit: Option<u64>,
    pub counted: Option<u64>,
    /// Whether `POST /sessions/{id}/continue` lets the session go on past it.
    pub can_be_continued: bool,
}

impl From<Guard> for GuardPer {
    fn from(guard: Guard) -> Self {
        if guard.is_of_session() { Self::Session } else { Self::Turn }
    }
}

impl GuardLimit {
    /// Those that bound anything.
    pub(in crate::http) fn all(limits: &Limits) -> Vec<Self> {
        Self::rows(|guard| limits.of(guard))
    }

    /// Those of which something is said; 0 is no bound.
    pub(in crate::http) fn said(limits: &SomeLimits) -> Vec<Self> {
        Self::rows(|guard| limits.of(guard))
    }

    /// As people read them: those of one turn first.
    fn rows(limit: impl Fn(Guard) -> Option<u64>) -> Vec<Self> {
        let row = |guard: Guard| Some(Self { guard, per: guard.into(), limit: limit(guard)? });
        let mut rows: Vec<_> = Guard::COUNTING.into_iter().filter_map(row).collect();
        rows.sort_by_key(|row| row.guard);
        rows
    }
}

impl From<view::GuardView> for GuardState {
    fn from(view: view::GuardView) -> Self {
        let view::GuardView { guard, limit, counted, is_raised } = view;
        Self { guard, per: guard.into(), limit, counted, raised: is_raised }
    }
}

impl From<event::GuardTripped> for TrippedGuard {
    fn from(tripped: event::GuardTripped) -> Self {
        let event::GuardTripped { turn, guard, detail, limit, counted } = tripped;
        let can_be_continued = guard.can_be_continued();
        Self { guard, per: guard.into(), turn: turn.0, detail, limit, counted, can_be_continued }
    }
}
