//! The sample repository: two small functions in Python, one of them wrong, and the test that shows it.

use super::Stage;
use crate::command::{output_of, run};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How its tests are run.
pub(crate) const TESTS: &str = "python3 -m unittest";

#[derive(Debug)]
pub(crate) struct Sample {
    /// Holds `textkit`, the repository, and the checkouts that its tests are run in.
    directory: PathBuf,
}

/// What its tests said.
#[derive(Debug)]
pub(crate) struct Tested {
    pub passed: bool,
    pub said: String,
}

impl Sample {
    /// A new repository; earlier ones stay for the sessions that worked on them.
    pub(crate) fn create(stage: &Stage) -> Result<Self> {
        let samples = stage.directory.join("samples");
        let directory = (1_u32..)
            .map(|n| samples.join(n.to_string()))
            .find(|directory| !directory.exists())
            .context("every number is taken")?;
        let sample = Self { directory };
        let repository = sample.path();
        copy(&stage.workspace.root.join("crates/scripted-model/sample"), &repository)?;
        sample.git(&["init", "--quiet", "--initial-branch=main"])?;
        if output_of(Command::new("git").args(["config", "--global", "user.email"])).is_err() {
            // Without an author git commits nothing.
            sample.git(&["config", "user.name", "Sample Person"])?;
            sample.git(&["config", "user.email", "sample@example.invalid"])?;
        }
        sample.git(&["add", "--all"])?;
        sample.git(&[
            "commit",
            "--quiet",
            "--no-verify",
            "--no-gpg-sign",
            "-m",
            "Add two helpers for text",
        ])?;
        Ok(sample)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("textkit")
    }

    /// Runs the tests of a branch where nobody has worked.
    pub(crate) fn test(&self, branch: &str) -> Result<Tested> {
        let checkout = self.directory.join("checkout");
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet", "--branch", branch]).arg(self.path()).arg(&checkout);
        output_of(&mut clone)?;
        let mut words = TESTS.split(' ');
        let mut tests = Command::new(words.next().context("no command")?);
        let output = tests.args(words).current_dir(&checkout).output().context("run the sample's tests")?;
        std::fs::remove_dir_all(&checkout)?;
        Ok(Tested {
            passed: output.status.success(),
            said: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        })
    }

    fn git(&self, arguments: &[&str]) -> Result<()> {
        run(Command::new("git").current_dir(self.path()).args(arguments))
    }
}

/// The whole directory, files whose names begin with a dot too.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "__pycache__" {
                copy(&entry.path(), &target)?;
            }
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
