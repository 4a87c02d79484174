//! Sessions whose actor had to stop, by an error or a panic: each is woken again, later each time, because nobody else may ask for it
//! and something may be owed to it.

use crate::CommandError;
use futures::FutureExt;
use lamplight_domain::SessionId;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Until it is woken after it stopped for the first time; doubled each time, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);
/// One that went on for so long after it was woken stops for the first time again.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// Waiting for longer, it no longer claims its sandbox: nobody watches what runs there. That is after some four minutes.
const CLAIMS_UP_TO: Duration = Duration::from_secs(128);

#[derive(Debug, Default)]
pub(crate) struct Stopped(Mutex<HashMap<SessionId, Stop>>);

#[derive(Debug, Clone, Copy)]
struct Stop {
    pause: Duration,
    until: Instant,
}

impl Stopped {
    /// How long it is from now until it is woken again.
    pub(crate) fn note(&self, id: &SessionId) -> Duration {
        let (now, mut all) = (Instant::now(), self.lock());
        all.retain(|_, stop| now < stop.until + FORGOTTEN);
        let pause = all.get(id).map_or(FIRST, |last| (last.pause * 2).min(LONGEST));
        all.insert(id.clone(), Stop { pause, until: now + pause });
        pause
    }

    /// Whether it is to be woken so soon that its sandbox is not one that nobody claims.
    pub(crate) fn claims(&self, id: &SessionId) -> bool {
        let is_soon = |stop: &Stop| stop.pause <= CLAIMS_UP_TO && Instant::now() <= stop.until;
        self.lock().get(id).is_some_and(is_soon)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Stop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic, which the panic hook has told of, is an error of this session alone.
pub(crate) async fn caught<T>(
    work: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let panicked = |_| Err(CommandError::Failed(anyhow::anyhow!("a fault in the program: it panicked")));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_again_and_again_is_woken_later_each_time() {
        let (stopped, id) = (Stopped::default(), crate::ids::session_id());
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = stopped.note(&id);
            waits.push((wait.as_secs(), stopped.claims(&id)));
            tokio::time::advance(wait).await;
        }
        let (soon, late) = waits.split_at(8);
        assert_eq!(soon.to_vec(), [1, 2, 4, 8, 16, 32, 64, 128].map(|wait| (wait, true)));
        assert_eq!(late.to_vec(), [256, 512, 600, 600].map(|wait| (wait, false)));
        tokio::time::advance(FORGOTTEN).await;
        assert_eq!(stopped.note(&id), FIRST);
        tokio::time::advance(FIRST * 2).await;
        assert!(!stopped.claims(&id), "it was woken, and says itself what it claims");
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let ended = caught::<()>(async { panic!("as is to be caught") }).await;
        assert!(matches!(ended, Err(CommandError::Failed(_))), "{ended:?}");
    }
}
