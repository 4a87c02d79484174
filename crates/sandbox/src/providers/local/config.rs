//! What the local provider is told.

use super::tools::Tool;
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
