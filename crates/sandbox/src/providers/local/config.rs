//! What the local provider is told.

use super::tools::Tool;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;

/// How to run sandboxes on this machine.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// Belongs to this deployment alone: whatever sandbox is recorded in it is ours. Absolute.
    pub data_dir: PathBuf,
    /// The program that ends in [`launcher_main`](super::launcher_main).
    pub launcher: Launcher,
    /// The person's own tools, beyond what `/usr` has.
    pub tools: Vec<Tool>,
    /// Whether sandboxes run even where a wall is missing that nothing should run without.
    pub is_unsafe: bool,
    /// The container runtime that puts sandboxes up, by name or path; without one the launcher does.
    pub runtime: Option<String>,
    /// Of sessions that have no files yet.
    pub disk_limit: DiskLimit,
}

/// How what a session takes of the disk is held to its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskLimit {
    /// It is looked at several times a second.
    #[default]
    Watched,
    /// Its files are in a file system of their own, which is no larger. As root, with loop devices and `mkfs.ext4`.
    Volume,
}

/// A program and its arguments. A sandbox is started by a small process of its own and not forked from the server,
/// which has many threads and much memory.
#[derive(Debug, Clone)]
pub struct Launcher {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

impl Launcher {
    /// The running executable itself with this argument; also when its file has been replaced since it was started.
    pub fn own(argument: &str) -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), arguments: vec![argument.into()] }
    }
}
