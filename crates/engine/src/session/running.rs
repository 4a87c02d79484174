//! The effects of one session that run now. What is owed runs; what is no longer owed is ended; what failed is tried again
//! after a while for as long as it is owed.

use lamplight_domain::session::Effect;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

/// Waits between attempts of an effect that ended without a report: 100 ms, doubled up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<()>,
    by_effect: HashMap<Effect, AbortHandle>,
    /// Effects that ended while they were owed, and when they may start again.
    pauses: HashMap<Effect, (Instant, Duration)>,
}

impl Running {
    /// Makes what runs agree with what is owed.
    pub(super) fn settle<F>(&mut self, owed: &[Effect], start: impl Fn(&Effect) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.by_effect.retain(|effect, task| {
            let keep = owed.contains(effect);
            if !keep {
                task.abort();
            }
            keep
        });
        self.pauses.retain(|effect, _| owed.contains(effect));
        let now = Instant::now();
        for effect in owed {
            let paused = self.pauses.get(effect).is_some_and(|(until, _)| now < *until);
            if !paused && !self.by_effect.contains_key(effect) {
                let task = self.tasks.spawn(start(effect));
                self.by_effect.insert(effect.clone(), task);
            }
        }
    }

    /// Resolves when an effect has ended; then [`Running::settle`] again.
    pub(super) async fn ended(&mut self) {
        let id: Id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                report_panic(&error);
                error.id()
            }
            None => std::future::pending().await,
        };
        let ended = self.by_effect.iter().find(|(_, task)| task.id() == id).map(|(effect, _)| effect.clone());
        if let Some(effect) = ended {
            self.by_effect.remove(&effect);
            let pause =
                self.pauses.get(&effect).map_or(FIRST_PAUSE, |(_, pause)| (*pause * 2).min(LONGEST_PAUSE));
            self.pauses.insert(effect, (Instant::now() + pause, pause));
        }
    }

    /// When the next paused effect may start again.
    pub(super) fn next_start(&self) -> Option<Instant> {
        let waiting = self.pauses.iter().filter(|(effect, _)| !self.by_effect.contains_key(*effect));
        waiting.map(|(_, (until, _))| *until).min()
    }

    /// Ends everything and waits for it.
    pub(super) async fn shut_down(&mut self) {
        self.by_effect.clear();
        self.tasks.shutdown().await;
    }
}

fn report_panic(error: &JoinError) {
    if error.is_panic() {
        tracing::error!(%error, "an effect panicked; it is tried again while it is owed");
    }
}
