//! What an attacker is assumed to know about the host; finding it out is not part of any attempt.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Content of everything on the host that must not be seen.
    pub(crate) marker: String,
    /// A file of the host that holds the marker.
    pub(crate) secret: PathBuf,
    /// The folder of the host that the secret, and all of a deployment, is in.
    pub(crate) folder: PathBuf,
    /// A Unix socket of the host, by path; who connects hears the marker, here and below.
    pub(crate) socket: PathBuf,
    /// The same in the abstract name space.
    pub(crate) name: String,
    /// A TCP and UDP port of the host, on every address.
    pub(crate) port: u16,
    /// The name of a process of the host (`/proc/<pid>/comm`), and its number there.
    pub(crate) neighbour: String,
    pub(crate) neighbour_pid: i32,
}

impl Facts {
    /// The file that they are in, beside this program: no attempt may find them in its own environment or arguments.
    pub(crate) const FILE: &str = "facts.json";

    pub(crate) fn beside_this_program() -> anyhow::Result<Self> {
        let file = std::env::current_exe()?.with_file_name(Self::FILE);
        Ok(serde_json::from_slice(&std::fs::read(&file)?)?)
    }
}

/// A directory of the sandbox that is shown read-only from the host, with this program in it.
pub(crate) const SHOWN: &str = "/opt/lamplight-escape";

/// The agent's user inside.
pub(crate) const AGENT: u32 = 1000;
