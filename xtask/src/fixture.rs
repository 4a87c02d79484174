//! `cargo xtask fixture`: makes an installation with the version that is here, and keeps it for a test that opens it with every later one.
//! At a release, before the version's number goes up; what lies there of the same version is replaced.

use crate::command::run as run_command;
use crate::workspace::cargo;
use anyhow::Result;
use std::process::ExitCode;

const TEST: &str = "installations::an_installation_of_every_earlier_version_opens_with_nothing_lost";
/// The test then makes one first.
const KEEP: &str = "LAMPLIGHT_KEEP_INSTALLATION";

pub(crate) fn run() -> Result<ExitCode> {
    let mut test = cargo();
    test.env(KEEP, "1").args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "lamplight-server",
        "--test",
        "it",
    ]);
    run_command(test.args(["--", "--exact", "--nocapture", TEST]))?;
    Ok(ExitCode::SUCCESS)
}
