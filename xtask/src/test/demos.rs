//! The demo itself, with real agents and the scripted model.

use super::tally::Tally;
use super::{DEV, Run};
use crate::demo::{self, Then};
use crate::stage::{Agent, Model, Stage};
use anyhow::Result;

/// With the lightest, or with all of them.
pub(super) fn check(run: &Run, all: bool) -> Result<Tally> {
    let agents = if all { Agent::ALL } else { &[Agent::LIGHTEST] };
    let mut tally = Tally::default();
    for agent in agents {
        println!("\n{}", agent.name());
        // A key of the person who runs the tests is not for them.
        let done = Stage::open(&run.workspace, DEV, run.directory("demo"), run.path.clone())
            .and_then(|stage| {
                let model = Model::scripted(&stage, None)?;
                demo::perform(&stage, *agent, &model, Then::Exit, false)
            })
            .unwrap_or_else(|error| {
                println!("{error:#}");
                false
            });
        tally = tally + if done { Tally::passed(1) } else { Tally::failed(1) };
    }
    Ok(tally)
}
