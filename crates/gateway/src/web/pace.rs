//! How fast bytes pass to and from the outside: so many a minute, of all connections of one session together. What is more waits, and
//! is not lost: whoever sends it is slowed down by its own connection.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What may pass at once after a pause, in time.
const BURST: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) struct Pace {
    /// `None` is no bound.
    bytes_per_minute: Option<NonZeroU64>,
    /// When everything that was let through would have passed, had it kept to the pace.
    passed_at: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_minute: Option<NonZeroU64>) -> Self {
        Self { bytes_per_minute, passed_at: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes more may pass.
    pub(super) async fn pass(&self, bytes: usize) {
        let Some(bytes_per_minute) = self.bytes_per_minute else { return };
        let takes = MINUTE.mul_f64(bytes as f64 / bytes_per_minute.get() as f64);
        let passed_at = {
            let mut passed_at = self.passed_at.lock().unwrap_or_else(PoisonError::into_inner);
            *passed_at = (*passed_at).max(Instant::now()) + takes;
            *passed_at
        };
        if let Some(begin) = passed_at.checked_sub(BURST) {
            sleep_until(begin).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_more_than_may_pass_waits() {
        let pace = Pace::new(NonZeroU64::new(60_000));
        let begun = Instant::now();
        let check = async |bytes: usize, after_ms: u64| {
            pace.pass(bytes).await;
            assert_eq!(begun.elapsed(), Duration::from_millis(after_ms));
        };
        check(1000, 0).await;
        check(1000, 1000).await;
        check(500, 1500).await;
        // All together are no faster than one.
        tokio::join!(check(1000, 2500), check(1000, 3500));
        tokio::time::sleep(Duration::from_secs(60)).await;
        check(1000, 63_500).await;
        check(1000, 64_500).await;
        Pace::new(None).pass(usize::MAX).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(64_500));
    }
}
