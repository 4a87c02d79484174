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
    /// What the memory limits of all may come to together, in MiB; 0 is no bound.
    pub memory_mb: u64,
}

impl Default for Queue {
    fn default() -> Self {
        let lamplight_engine::QueueConfig { sandboxes, sandboxes_per_person, memory_bytes } =
            Default::default();
        Self { sandboxes, sandboxes_per_person, memory_mb: memory_bytes >> 20 }
    }
}

impl Queue {
    pub(super) fn engine(self) -> lamplight_engine::QueueConfig {
        let Self { sandboxes, sandboxes_per_person, memory_mb } = self;
        let memory_bytes = memory_mb.saturating_mul(1 << 20);
        lamplight_engine::QueueConfig { sandboxes, sandboxes_per_person, memory_bytes }
    }
}
