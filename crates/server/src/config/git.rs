//! `[git]`: how commits are made.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[git]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Git {
    /// A private key of SSH without a passphrase, that commits are signed with; it is read on this machine and by nobody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<PathBuf>,
}
