//! The Rust side: format, clippy, tests.

use super::tally::Tally;
use super::{Run, one};
use crate::command::output_of;
use crate::workspace::cargo;
use anyhow::Result;
use std::process::Command;

pub(super) fn format(run: &Run) -> Result<Tally> {
    Ok(one(in_workspace(run).args(["fmt", "--all", "--check"])))
}

pub(super) fn clippy(run: &Run) -> Result<Tally> {
    let mut clippy = in_workspace(run);
    clippy.args([
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    Ok(one(&mut clippy))
}

/// With nextest where it is installed, which runs tests in processes of their own and ends those that hang.
pub(super) fn tests(run: &Run) -> Result<Tally> {
    let mut tests = in_workspace(run);
    if output_of(in_workspace(run).args(["nextest", "--version"])).is_ok() {
        tests.args(["nextest", "run", "--cargo-quiet", "--locked", "--workspace", "--no-fail-fast"]);
        tests.args(["--show-progress", "none", "--status-level", "slow", "--final-status-level", "flaky"]);
        Tally::of(&mut tests, "Summary")
    } else {
        println!("cargo-nextest is not installed; using cargo test");
        tests.args(["test", "--quiet", "--locked", "--workspace", "--no-fail-fast"]);
        Tally::of(&mut tests, "test result:")
    }
}

fn in_workspace(run: &Run) -> Command {
    let mut cargo = cargo();
    cargo.env("PATH", &run.path);
    cargo
}
