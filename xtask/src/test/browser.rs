//! The page in a browser, once with its double and once with the real server, a real agent and the scripted model.

use super::tally::Tally;
use super::{DEV, Run};
use crate::missing;
use crate::stage::{Agent, Model, Sample, Server, Stage};
use crate::{build, workspace::Workspace};
use anyhow::Result;
use std::path::PathBuf;

/// Something that changes a file in every session, however often it is asked.
const FIX: &str = "Note the time of this [[scenario:note]]";
/// Something that goes on until it is stopped.
const SLOW: &str = "Wait until you are stopped [[scenario:wait]]";
/// Where these two are written down.
const SCRIPT: &str = "xtask/browser.json";

pub(super) fn check(run: &Run) -> Result<Tally> {
    let Some(chromium) = chromium() else {
        return Ok(Tally::skipped("there is no chromium; apt-get install -y chromium"));
    };
    let mut double = end_to_end(&run.workspace, run, &chromium);
    let with_double = Tally::of(double.env("SHOTS", run.directory("shots-double")), "Tests")?;

    let stage = Stage::open(&run.workspace, DEV, run.directory("browser"), run.path.clone())?;
    stage.install(Agent::Goose)?;
    let model = Model::scripted(&stage, Some(&run.workspace.root.join(SCRIPT)))?;
    let sample = Sample::create(&stage)?;
    let server = Server::start(&stage, &model)?;
    let mut real = end_to_end(&run.workspace, run, &chromium);
    real.env("SHOTS", run.directory("shots-real"));
    real.env("BASE_URL", &server.url).env("REPOSITORY", sample.path()).env("AGENT", Agent::Goose.name());
    real.env("PROMPT_FIX", FIX).env("PROMPT_SLOW", SLOW);
    let with_server = Tally::of(&mut real, "Tests");
    for session in stage.sessions(&server)? {
        stage.end(&server, &session)?;
    }
    server.stop()?;
    // What only the double can be made to play was counted with the double.
    Ok(with_double + Tally { skipped: 0, ..with_server? })
}

fn end_to_end(workspace: &Workspace, run: &Run, chromium: &PathBuf) -> std::process::Command {
    let mut npm = build::npm(&workspace.web(), &run.path);
    npm.args(["run", "--silent", "e2e"]).env("CHROMIUM", chromium);
    npm
}

/// Debian's, installed when we may.
fn chromium() -> Option<PathBuf> {
    if let Some(found) = missing::find("chromium") {
        return Some(found);
    }
    println!("chromium is missing; it is needed because the page is tested in a browser");
    match missing::apt_install(&["chromium"]) {
        Ok(()) => missing::find("chromium"),
        Err(error) => {
            println!("{error:#}");
            None
        }
    }
}
