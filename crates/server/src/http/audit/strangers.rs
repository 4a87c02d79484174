//! How often somebody whom nobody knows is written down. Any page that this machine's browser has open may try as fast as it can, and
//! must not fill the disk with that.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Entries in each window.
const MOST: u32 = 60;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(in crate::http) struct Strangers(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    since: Option<Instant>,
    written: u32,
    unwritten: u64,
}

impl Strangers {
    /// How many before this one were not written down; `None` when this one is not either.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            (counted.since, counted.written) = (Some(now), 0);
        }
        if counted.written == MOST {
            counted.unwritten += 1;
            return None;
        }
        counted.written += 1;
        Some(std::mem::take(&mut counted.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_is_counted_and_told_with_the_next_that_is_written() {
        let strangers = Strangers::default();
        let start = Instant::now();
        for _ in 0..MOST {
            assert_eq!(strangers.admit(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(strangers.admit(start + WINDOW / 2), None);
        }
        assert_eq!(strangers.admit(start + WINDOW), Some(1_000));
        assert_eq!(strangers.admit(start + WINDOW), Some(0));
    }
}
