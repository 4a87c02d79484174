//! What the guest answers to an `Open`.

use crate::Generations;
use crate::folder::FolderEntry;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One answer; which one belongs to which operation is told at each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    Refused(Refusal),
    /// To `hello`.
    Hello(Hello),
    /// To `spawn`, `attach`, `stdin`, `spawn_terminal` and `terminal`.
    Process(ProcessState),
    /// To `signal`, `forget`, `write_file`, `dial`, `make_folder`, `rename`, `remove` and `watch`.
    Done,
    /// To `kill_all`: how many processes it found.
    Killed {
        count: u32,
    },
    /// To `read_file`; the content follows.
    File {
        mode: u32,
    },
    /// To `list_folder`; what is in it follows.
    Folder,
    /// To `processes`.
    Processes {
        processes: Vec<ProcessState>,
    },
    /// To `ports`, each once, in order.
    Ports {
        ports: Vec<u16>,
    },
    /// To `stat`. `real`: the path of what is there without any link in it; `None` of a link that leads nowhere.
    Entry {
        entry: FolderEntry,
        real: Option<String>,
    },
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The guest's release, for people.
    pub version: String,
    pub generations: Generations,
    /// The n-th link since the guest started, from 1.
    pub link: u64,
    /// Whether the guest is PID 1, so that `kill_all` reaches everything in the sandbox.
    pub init: bool,
}

/// A process that the guest was asked to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessState {
    pub process: String,
    /// As seen inside.
    pub pid: u32,
    /// `None` while it runs.
    pub status: Option<ExitStatus>,
    /// The number of the last message that was written to its standard input, 0 before the first.
    pub stdin_written: u64,
    pub stdout: Bounds,
    pub stderr: Bounds,
}

/// The bytes of an output that can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Everything before was acknowledged, and is gone.
    pub start: u64,
    pub end: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub enum ExitStatus {
    Code { code: i32 },
    Signal { signal: i32 },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

/// What a caller can branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No generation in common, or an operation this guest does not know.
    Unsupported,
    /// No process of this name.
    UnknownProcess,
    /// It has ended.
    NotRunning,
    /// It has not ended.
    StillRunning,
    /// It was started without a standard input, or that is closed.
    NoStdin,
    /// An offset outside what can be read.
    OutOfBounds,
    /// No such file, directory, program or listener.
    NotFound,
    /// The operating system forbids it.
    Denied,
    /// A file above the limit given, or not a regular file.
    Unreadable,
    /// A bound of the guest is reached.
    TooMany,
    /// It is there already.
    Exists,
    /// Anything else; the message says what.
    Failed,
    /// A code of a newer generation.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
