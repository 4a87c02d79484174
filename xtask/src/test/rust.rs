//! The Rust side: format, clippy, tests.

use super::tally::Tally;
use super::{Run, one};
use crate::build::QUICK;
use crate::command::{output_of, run as run_command};
use crate::workspace::cargo;
use anyhow::Result;
use std::process::Command;
use std::thread::available_parallelism;

/// Stories that the engine lives through, unless the environment says otherwise.
const SEEDS: u32 = 10_000;
const SEEDS_VARIABLE: &str = "LAMPLIGHT_SEEDS";

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
        tests.args(["--test-threads", &at_once().to_string()]);
        Tally::of(&mut tests, "Summary")
    } else {
        println!("cargo-nextest is not installed; using cargo test");
        tests.args(["test", "--quiet", "--locked", "--workspace", "--no-fail-fast"]);
        Tally::of(&mut tests, "test result:")
    }
}

/// Tests at a time: two for each processor, since most of them wait for others half of their time.
fn at_once() -> usize {
    available_parallelism().map_or(1, usize::from) * 2
}

/// Every program, built with what the tests are built with: asked for by package, they and their libraries would be built once more, with fewer
/// features.
pub(super) fn programs(run: &Run) -> Result<()> {
    run_command(in_workspace(run).args(["build", "--locked", "--workspace", "--bins", "--tests"]))
}

/// The same seeds each time; the tests before have run a few of them. A package alone, so that nothing is built but what it is made of.
pub(super) fn simulation(run: &Run) -> Result<Tally> {
    let mut seeds = in_workspace(run);
    if std::env::var_os(SEEDS_VARIABLE).is_none() {
        seeds.env(SEEDS_VARIABLE, SEEDS.to_string());
    }
    seeds.args(["test", "--quiet", "--locked", "--profile", QUICK, "--package", "lamplight-simulation"]);
    seeds.args(["--test", "it", "--", "nothing_is_lost", "--nocapture"]);
    Tally::of(&mut seeds, "test result:")
}

fn in_workspace(run: &Run) -> Command {
    let mut cargo = cargo();
    cargo.env("PATH", &run.path);
    cargo
}
