//! The one place where this crate reads the time of day.

use lamplight_domain::Timestamp;
use std::time::UNIX_EPOCH;

/// Now, as the log counts it.
#[expect(clippy::disallowed_methods, reason = "the edge: heartbeats and the page need the time of day")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
