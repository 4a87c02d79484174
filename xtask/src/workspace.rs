//! Where things are in the repository.

use crate::command::output_of;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the variables begin that cargo sets for the program of a package.
const OF_A_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// The repository and cargo's directory for what it builds.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and configuration files count.
    pub(crate) fn find() -> Result<Self> {
        let root = root();
        let mut cargo = cargo();
        cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let metadata: Metadata =
            serde_json::from_str(&output_of(&mut cargo)?).context("read what cargo says of the workspace")?;
        Ok(Self { root, target: metadata.target_directory })
    }

    /// A program that cargo built, of a profile such as `quick`.
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        let directory = if profile == "dev" { "debug" } else { profile };
        self.target.join(directory).join(name)
    }

    /// Everything that the tasks here leave behind, beside what is built; ignored by git.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join(".lamplight")
    }

    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }
}

/// The directory that holds `Cargo.lock`.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies directly below the root").to_owned()
}

/// The cargo that started this program, in the workspace. What it told this program of its own package is left out: build scripts ask for
/// such variables, and would run again, with all that is built on them, whenever cargo was once called by hand and once from here.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut cargo = Command::new(program);
    cargo.current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(name);
        }
    }
    cargo
}
