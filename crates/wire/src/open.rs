//! What a stream is opened for.

use crate::Generations;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The first message on a stream that the host opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Open {
    /// The first call on a link. It is answered once no transient process of an earlier link runs any more.
    Hello {
        generations: Generations,
    },
    /// Idempotent by name: a process that exists already, running or ended, is left as it is and its state returned.
    Spawn {
        process: String,
        #[serde(flatten)]
        spec: ProcessSpec,
        /// Whether the process ends (SIGTERM, then SIGKILL) and is forgotten as soon as nobody is attached any more,
        /// because the one attached stream ended or the link did. Otherwise it lives until it is forgotten.
        transient: bool,
    },
    /// Output from these offsets on, and the exit status after the last byte of it.
    Attach {
        process: String,
        #[serde(flatten)]
        from: Offsets,
    },
    Stdin {
        process: String,
    },
    /// To the process group that the process leads.
    Signal {
        process: String,
        signal: i32,
    },
    /// Ends every process but the guest: SIGTERM, `grace_ms` later SIGKILL.
    KillAll {
        grace_ms: u64,
    },
    /// Drops an ended process, its unread output and its exit status.
    Forget {
        process: String,
    },
    /// A regular file of at most `limit` bytes.
    ReadFile {
        path: String,
        limit: u64,
        #[serde(default, skip_serializing_if = "Who::is_agent")]
        who: Who,
    },
    /// The first `limit` things in a folder, in the order of their names.
    ListFolder {
        path: String,
        limit: u32,
        #[serde(default, skip_serializing_if = "Who::is_agent")]
        who: Who,
    },
    /// Replaces or makes the file in one step; `mode` holds the permission bits. It has these attributes then and no others, as
    /// [`folder::ATTRIBUTE_PREFIX`](crate::folder::ATTRIBUTE_PREFIX) says. Guests of before do not know of them and keep none.
    WriteFile {
        path: String,
        mode: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Who::is_agent")]
        who: Who,
    },
    /// A TCP connection to loopback inside.
    Dial {
        port: u16,
    },
    Processes,
    /// Like `spawn`, with a terminal of its own in the place of the three standard streams. What it writes is kept as standard
    /// output; it never waits for a reader: the newest of it stays.
    SpawnTerminal {
        process: String,
        #[serde(flatten)]
        spec: ProcessSpec,
        size: TerminalSize,
    },
    /// Joins a process on a terminal, beside all others who have: its output from this offset on, or from the oldest that is
    /// still there, and back what is typed.
    Terminal {
        process: String,
        from: u64,
    },
    /// Where somebody listens that `dial` would reach.
    Ports,
    /// What there is of this name; of a link, what it says of itself.
    Stat {
        path: String,
        who: Who,
    },
    /// With the folders above it, where they are missing. Refused as `Exists` where there is a folder already.
    MakeFolder {
        path: String,
        who: Who,
    },
    /// Gives a thing another name, and makes the folders above that.
    Rename {
        from: String,
        to: String,
        who: Who,
    },
    /// With all that is in it; fine where there is nothing.
    Remove {
        path: String,
        who: Who,
    },
    /// What happens in a folder from now on, and in those below it where `deep`.
    Watch {
        path: String,
        deep: bool,
        who: Who,
    },
}

/// As whom the guest touches files, where it may be both; otherwise it is the one that it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    #[default]
    Agent,
    /// Of the sandbox, and nobody outside.
    Root,
}

impl Who {
    fn is_agent(&self) -> bool {
        *self == Self::Agent
    }
}

/// The first message on a stream that the guest opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum GuestOpen {
    /// Somebody inside connected to the gateway's address. The host refuses by resetting the stream.
    Gateway,
}

/// What is started. The process gets the environment that the guest was started with and, over it, this one; it leads a
/// session of its own, and finds `argv[0]` by the `PATH` that it gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    pub argv: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub cwd: Option<String>,
    /// Whether standard input is a pipe that `stdin` writes to; otherwise it is `/dev/null`.
    #[serde(default)]
    pub stdin: bool,
}

/// How many characters a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    pub rows: u16,
    pub columns: u16,
}

/// Places in the two outputs of a process: how many bytes of each lie before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets {
    pub stdout: u64,
    pub stderr: u64,
}
