//! `[checks]`: which checks run on what a turn has committed.

use lamplight_domain::CheckPolicy;
use serde::{Deserialize, Serialize};

/// `[checks]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    pub run: CheckPolicy,
}

impl Default for Checks {
    fn default() -> Self {
        Self { run: CheckPolicy::Detected }
    }
}
