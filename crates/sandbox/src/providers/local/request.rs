//! What passes between the provider and its launcher: one JSON document in on standard input, a line of JSON out.

use super::config::DiskLimit;
use super::container::Runtime;
use super::limits::Limits;
use crate::error::{ErrorKind, SandboxError};
use crate::provider::ReadOnlyMount;
use lamplight_domain::{Enforced, Generation, ImageDigest, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Start this sandbox, unless it runs already.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LaunchRequest {
    /// The folder of all sandboxes.
    pub(super) sandboxes: PathBuf,
    pub(super) session: SessionId,
    pub(super) generation: Generation,
    /// The guest's file on the host.
    pub(super) guest: PathBuf,
    /// All of it: nothing is inherited.
    pub(super) environment: BTreeMap<String, String>,
    /// Tools included.
    pub(super) mounts: Vec<ReadOnlyMount>,
    /// Whether there is a way out.
    pub(super) egress: bool,
    /// Whether the guest listens where the gateway is looked for.
    pub(super) gateway: bool,
    /// What its files begin with, where that is not the machine.
    pub(super) image: Option<ImageDigest>,
    pub(super) limits: Limits,
    pub(super) disk_limit: DiskLimit,
    /// Run even where a wall is missing that nothing should run without.
    pub(super) is_unsafe: bool,
    /// What puts it up, where that is not the launcher itself.
    pub(super) runtime: Option<Runtime>,
}

/// The launcher's last word.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LaunchReply {
    /// The guest runs and can be dialled.
    Running {
        /// `None`: it was started by a release that did not ask.
        enforced: Option<Enforced>,
    },
    Failed {
        kind: LaunchFailure,
        message: String,
    },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LaunchFailure {
    /// A later generation of the session runs.
    Superseded,
    /// The kernel, or whoever configured it, refuses what isolation needs.
    Unsupported,
    Exhausted,
    Failed,
}

impl LaunchReply {
    pub(super) fn into_result(self, what: &str) -> Result<(), SandboxError> {
        match self {
            Self::Running { .. } => Ok(()),
            Self::Failed { kind, message } => {
                let kind = match kind {
                    LaunchFailure::Superseded => ErrorKind::Gone,
                    LaunchFailure::Unsupported => ErrorKind::Unsupported,
                    LaunchFailure::Exhausted => ErrorKind::Exhausted,
                    LaunchFailure::Failed => ErrorKind::Failed,
                };
                Err(SandboxError::new(kind, format!("{what}: {message}")))
            }
        }
    }
}
