//! `[children]`: sessions that are begun for sessions, by people and by their agents.

use lamplight_domain::ChildBounds;
use lamplight_engine::ChildrenConfig;
use serde::{Deserialize, Serialize};

/// `[children]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Children {
    /// Generations below a session that is nobody's child; 0 is no children at all.
    pub depth: u32,
    /// That one session may have in its life.
    pub per_session: u32,
    /// Whether agents may begin them from inside.
    pub by_agents: bool,
}

impl Default for Children {
    fn default() -> Self {
        Self { depth: 2, per_session: 8, by_agents: true }
    }
}

impl Children {
    pub(super) fn engine(self) -> ChildrenConfig {
        let bounds = ChildBounds { depth: self.depth, number: self.per_session };
        ChildrenConfig { bounds, by_agents: self.by_agents }
    }
}
