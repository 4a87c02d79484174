//! The page in a browser, once with its double and once with the real server, a real agent and the scripted model.

use super::tally::Tally;
use super::{DEV, Run, rust};
use crate::missing;
use crate::stage::{Agent, Model, Sample, Server, Stage};
use crate::{build, workspace::Workspace};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Something that changes a file in every session, however often it is asked.
const FIX: &str = "Note the time of this [[scenario:note]]";
/// Something that goes on until it is stopped.
const SLOW: &str = "Wait until you are stopped [[scenario:wait]]";
/// Where these two are written down.
const SCRIPT: &str = "xtask/browser.json";

/// VS Code itself is tried where all agents are: it is 600 MB.
pub(super) fn check(run: &Run, all: bool) -> Result<Tally> {
    let Some(chromium) = missing::chromium() else {
        return Ok(Tally::skipped("there is no chromium; apt-get install -y chromium"));
    };
    let mut double = end_to_end(&run.workspace, run, &chromium);
    // Tests that kill a server have one of their own.
    rust::programs(run)?;
    double.env("LAMPLIGHT", run.workspace.program(DEV, "lamplight"));
    double.env("SCRIPTED_AGENT", run.workspace.program(DEV, "scripted-agent"));
    double.env("FAKE_GITHUB", run.workspace.program(DEV, "fake-github"));
    let stage = Stage::open(&run.workspace, DEV, run.directory("browser"), run.path.clone())?;
    if all {
        double.env("CODE_TOOLS", stage.install_code()?);
    }
    let with_double = Tally::of(double.env("SHOTS", run.directory("shots-double")), "Tests")?;

    stage.install(Agent::LIGHTEST)?;
    let model = Model::scripted(&stage, Some(&run.workspace.root.join(SCRIPT)))?;
    let sample = Sample::create(&stage)?;
    let server = Server::start(&stage, &model)?;
    let mut real = end_to_end(&run.workspace, run, &chromium);
    real.env("SHOTS", run.directory("shots-real"));
    real.env("BASE_URL", &server.url).env("REPOSITORY", sample.path()).env("AGENT", Agent::LIGHTEST.name());
    real.env("PROMPT_FIX", FIX).env("PROMPT_SLOW", SLOW);
    let with_server = Tally::of(&mut real, "Tests");
    for session in stage.sessions(&server)? {
        stage.end(&server, &session)?;
    }
    server.stop()?;
    // What only the double can be made to play was counted with the double.
    Ok(with_double + Tally { skipped: 0, ..with_server? })
}

fn end_to_end(workspace: &Workspace, run: &Run, chromium: &PathBuf) -> Command {
    let mut npm = build::npm(&workspace.web(), &run.path);
    npm.args(["run", "--silent", "e2e"]).env("CHROMIUM", chromium);
    npm
}
