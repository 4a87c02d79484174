//! The one place that reads the clock.

use crate::world;
use lamplight_domain::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by the machine's wall clock, or by that of the world that this thread lives in.
pub fn now() -> Timestamp {
    world::given().map_or_else(machine, |world| world.now())
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that hands out Timestamps")]
fn machine() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
