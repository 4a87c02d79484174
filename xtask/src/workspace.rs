//! Where things are in the repository.

use crate::command::output_of;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        let mut cargo = Command::new(cargo());
        cargo.current_dir(&root).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
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

/// The cargo that started this program.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
