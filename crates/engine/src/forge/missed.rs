//! What GitHub sent to an App while nobody listened is asked for again. GitHub itself knows what did not arrive, so nothing is kept here: what
//! comes again has the number that it had, and is known if it came after all.

use crate::engine::closed;
use crate::{Engine, clock};
use lamplight_integrations::github::{Attempt, Attempts};
use lamplight_integrations::{GitHub, GitHubError};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// From one look to the next; the first is at the start.
const PERIOD: Duration = Duration::from_secs(5 * 60);
/// Attempts on a page; GitHub gives no more.
const PAGE: usize = 100;
/// Pages that are read in one look, from the newest on.
const PAGES: usize = 20;
/// Attempts of one delivery; GitHub makes the first.
const ATTEMPTS: usize = 5;
/// GitHub delivers nothing again that is older.
const OLDEST_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// From one request to the next, so that others have room below what GitHub takes of one App in a minute.
const PACE: Duration = Duration::from_millis(400);

pub(super) async fn run(engine: Engine) {
    let mut closing = engine.shared.closing();
    let Some(github) = &engine.shared.github else { return };
    let mut missed = Missed::default();
    loop {
        if engine.shared.servers.is_first() {
            tokio::select! {
                () = missed.look(github) => {}
                () = closed(&mut closing) => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = closed(&mut closing) => return,
        }
    }
}

#[derive(Default)]
struct Missed {
    /// Attempts that are still to be asked for again, the oldest first.
    waiting: VecDeque<u64>,
    /// There was a look that went as far back as it may.
    has_looked: bool,
}

impl Missed {
    async fn look(&mut self, github: &GitHub) {
        if self.waiting.is_empty() {
            match read(github, !self.has_looked).await {
                Ok(attempts) => {
                    self.has_looked = true;
                    self.waiting = self::missed(&attempts, clock::now().0).into();
                }
                // An App without a webhook has none.
                Err(error) => tracing::info!(%error, "what GitHub could not deliver cannot be read"),
            }
        }
        while let Some(attempt) = self.waiting.front() {
            match github.deliver_again(*attempt).await {
                Ok(()) => tracing::info!(attempt, "GitHub delivers again what did not arrive"),
                Err(error) if error.passes() => {
                    let left = self.waiting.len();
                    tracing::warn!(left, %error, "what did not arrive is asked for again later");
                    return;
                }
                Err(error) => {
                    tracing::warn!(attempt, %error, "what did not arrive could not be asked for again");
                }
            }
            self.waiting.pop_front();
            tokio::time::sleep(PACE).await;
        }
    }
}

/// As far back as there was something that did not arrive; all that there is after a start, because attempts that went well since may lie before.
async fn read(github: &GitHub, is_first: bool) -> Result<Vec<Attempt>, GitHubError> {
    let (mut all, mut older) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let Some(page) = github.attempts(PAGE, older.as_deref()).await? else { break };
        let Attempts { attempts, older: next } = page;
        let oldest = clock::now().0.saturating_sub(OLDEST_MS as i64);
        let is_needed = |attempt: &Attempt| {
            attempt.delivered_at.as_millisecond() > oldest && (is_first || !attempt.has_arrived())
        };
        let goes_on = attempts.iter().any(is_needed);
        all.extend(attempts);
        older = next.filter(|_| goes_on);
        if older.is_none() {
            break;
        }
    }
    Ok(all)
}

/// The last attempt of each delivery that never arrived, the oldest first.
fn missed(attempts: &[Attempt], now_ms: i64) -> Vec<u64> {
    let mut deliveries: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts {
        deliveries.entry(&attempt.guid).or_default().push(attempt);
    }
    let is_young =
        |attempt: &Attempt| now_ms.saturating_sub(attempt.delivered_at.as_millisecond()) < OLDEST_MS as i64;
    let mut missed: Vec<_> = deliveries
        .into_values()
        .filter(|all| all.len() < ATTEMPTS && !all.iter().any(|one| one.has_arrived()))
        .filter_map(|all| all.into_iter().max_by_key(|one| one.id).filter(|last| is_young(last)))
        .collect();
    missed.sort_by_key(|one| one.id);
    missed.into_iter().map(|one| one.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_arrived_is_asked_for_again_and_not_for_ever() {
        let attempt = |id: u64, guid: &str, status_code: u16, at: &str| Attempt {
            id,
            guid: guid.to_owned(),
            delivered_at: at.parse().unwrap(),
            status: String::new(),
            status_code,
            event: "issues".to_owned(),
        };
        let now = "2026-01-31T12:00:00Z";
        let mut all = vec![
            // Somebody had it sent again while nobody listened.
            attempt(20, "arrived before", 500, now),
            attempt(9, "arrived later", 202, now),
            attempt(8, "twice", 500, now),
            attempt(7, "arrived later", 502, now),
            attempt(6, "once", 0, now),
            attempt(5, "twice", 0, now),
            attempt(4, "old", 0, "2026-01-27T12:00:00Z"),
            attempt(3, "arrived before", 202, now),
        ];
        all.extend((10..15).map(|id| attempt(id, "too often", 500, now)));
        let at: jiff::Timestamp = now.parse().unwrap();
        assert_eq!(missed(&all, at.as_millisecond()), [6, 8]);
    }
}
