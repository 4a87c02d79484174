//! The time of the world: it goes on from one life of the server to the next, and the wall clock on top of it may be set.

use lamplight_domain::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When every world begins: 2025-11-21, in milliseconds.
pub(crate) const BEGINNING_MS: i64 = 1_763_700_000_000;

#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Before this life.
    before: Duration,
    /// When this life began, by its runtime's clock.
    since: Option<Instant>,
    /// How far the wall clock is from what is right.
    wrong_by_ms: i64,
}

impl Clock {
    /// To be called where the runtime is whose clock it goes by.
    pub(crate) fn begin_life(&self) {
        self.lock().since = Some(Instant::now());
    }

    /// The world has gone on to that moment without this machine.
    pub(crate) fn go_on_at(&self, at: Duration) {
        self.lock().before = at;
    }

    /// The last moment that the runtime knows of.
    pub(crate) fn end_life(&self) {
        let mut state = self.lock();
        let lived = state.since.take().map(|since| since.elapsed()).unwrap_or_default();
        state.before += lived;
    }

    /// Since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        let state = self.lock();
        state.before + state.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// When this life reaches that moment of the world.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        Instant::now() + at.saturating_sub(self.elapsed())
    }

    pub(crate) fn wall(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(BEGINNING_MS + elapsed + self.lock().wrong_by_ms)
    }

    /// Somebody sets the wall clock; how far back.
    pub(crate) fn set_wrong_by(&self, ms: i64) -> Duration {
        let before = std::mem::replace(&mut self.lock().wrong_by_ms, ms);
        Duration::from_millis(u64::try_from(before - ms).unwrap_or(0))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
