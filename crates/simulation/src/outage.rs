//! What cannot be reached for a while, and then can.

use crate::fault::Fault;
use crate::universe::{Universe, lock};
use std::sync::Mutex;
use std::time::Duration;

/// The moment of the world at which the last one ends.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Duration>);

/// How one begins.
pub(crate) struct Beginning {
    pub(crate) fault: Fault,
    /// In thousand times that somebody looks; with 0 there is none, and none goes on.
    pub(crate) odds: u32,
    pub(crate) most_ms: u64,
}

impl Outage {
    /// Whether there is one now; one may begin because somebody looks.
    pub(crate) fn lasts(&self, universe: &Universe, how: &Beginning) -> bool {
        self.until(universe, how).is_some()
    }

    /// The same, where everything has to wait for it.
    pub(crate) fn hinders(&self, universe: &Universe, how: &Beginning) -> bool {
        let Some(until) = self.until(universe, how) else { return false };
        universe.hinder_until(until);
        true
    }

    fn until(&self, universe: &Universe, how: &Beginning) -> Option<Duration> {
        if how.odds == 0 {
            return None;
        }
        let now = universe.clock.elapsed();
        let mut until = lock(&self.0);
        if now >= *until && universe.happens(how.odds) {
            *until = now + Duration::from_millis(universe.number(1..how.most_ms));
            universe.struck(how.fault);
        }
        (now < *until).then_some(*until)
    }
}
