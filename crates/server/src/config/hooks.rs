//! `[hooks]`: addresses that are told what happens to sessions.

use lamplight_domain::HostPattern;
use serde::{Deserialize, Serialize};

/// `[hooks]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Hosts that may be told although their addresses are private, this machine's own or otherwise not public; these also without TLS.
    pub allow_private: Vec<HostPattern>,
}

impl Hooks {
    /// `address` is under which people reach this server.
    pub(super) fn engine(&self, address: String) -> lamplight_engine::HooksConfig {
        lamplight_engine::HooksConfig { allow_private: self.allow_private.clone(), address }
    }
}
