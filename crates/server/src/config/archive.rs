//! `[archive]`: when logs that nobody asks for any more go from the database into blobs.

use lamplight_engine::ArchiveConfig;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const USUAL_DAYS: u32 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `[archive]`; days since something was written to them last. 0 is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// Of sessions that are archived.
    pub after_days: u32,
    /// Of those that are not, and have nothing to do.
    pub untouched_after_days: u32,
}

impl Default for Archive {
    fn default() -> Self {
        Self { after_days: USUAL_DAYS, untouched_after_days: 0 }
    }
}

impl Archive {
    pub(super) fn engine(self) -> ArchiveConfig {
        let after = |days: u32| (days > 0).then(|| DAY * days);
        ArchiveConfig { after: after(self.after_days), untouched_after: after(self.untouched_after_days) }
    }
}
