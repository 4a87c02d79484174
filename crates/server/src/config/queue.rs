//! `[queue]`: how many sandboxes there may be at a time; what is more waits.

use serde::{Deserialize, Serialize};

/// `[queue]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Of all; 0 is no bound.
    pub sandboxes: u32,
    /// Of sessions that are for one person; 0 is no bound.
    pub sandboxes_per_person: u32,
}

impl Default for Queue {
    fn default() -> Self {
        let lamplight_engine::QueueConfig { sandboxes, sandboxes_per_person } = Default::default();
        Self { sandboxes, sandboxes_per_person }
    }
}

impl Queue {
    pub(super) fn engine(self) -> lamplight_engine::QueueConfig {
        let Self { sandboxes, sandboxes_per_person } = self;
        lamplight_engine::QueueConfig { sandboxes, sandboxes_per_person }
    }
}
