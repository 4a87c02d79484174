//! `cargo xtask demo`: one task, from a person's words to a branch that can be reviewed.
//!
//! ```text
//! install what is missing ─ build ─ sample repository with a failing test
//!   └─ model: a key of the environment, or the scripted model
//!        └─ lamplight serve ─ lamplight run … ─ lamplight diff ─ the branch's own tests in a clean checkout
//!             └─ the server stays until Ctrl-C; with --exit it is stopped
//! ```

use crate::build::{self, QUICK};
use crate::command::line;
use crate::missing::{self, CC, GIT, NODE, NPM, PYTHON};
use crate::stage::{Agent, Model, Sample, Server, Session, Stage, TESTS};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;

const TASK: &str =
    "A test fails. Find out why, repair the code, not the test, and show me that all tests pass.";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Who does the task
    #[arg(long, value_enum, default_value_t = Agent::LIGHTEST)]
    agent: Agent,
    /// Stop when the task is done instead of keeping the server
    #[arg(long)]
    exit: bool,
    /// Leave the session and its sandbox for the next demo's server to find
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    // All at once: who is not root is told one line to run.
    missing::provide(&[GIT, PYTHON, CC, NODE, NPM])?;
    let path = missing::provide_node(&workspace)?;
    build::all(&workspace, QUICK)?;
    let stage = Stage::open(&workspace, QUICK, workspace.scratch(), path)?;
    let model = Model::choose(&stage, arguments.agent)?;
    let then = if arguments.exit { Then::Exit } else { Then::Stay };
    let done = perform(&stage, arguments.agent, &model, then, arguments.keep)?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What follows the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Exit,
    /// Until Ctrl-C.
    Stay,
}

/// Shows one task from its beginning to its end; whether it was done.
pub(crate) fn perform(stage: &Stage, agent: Agent, model: &Model, then: Then, keep: bool) -> Result<bool> {
    stage.install(agent)?;
    let sample = Sample::create(stage)?;
    let server = Server::start(stage, model)?;
    println!("Lamplight is at {}", server.url);
    match model {
        Model::Key(name) => println!("The model is the one that {name} opens."),
        Model::Scripted(_) => println!(
            "The model is scripted: {} is not set, so a program of ours plays a model that knows this one task.\n\
             The agent, its sandbox and everything else are real.",
            agent.keys().join(" or ")
        ),
    }
    println!("\n$ lamplight run --agent {} \"{TASK}\"\n", agent.name());
    // Ctrl-C is for `lamplight run` while it runs, and must not end this program.
    let mut interrupts = Signals::new([SIGINT, SIGTERM])?;
    let mut run = stage.at(&server);
    run.args(["run", "--agent", agent.name(), "--repo"]).arg(sample.path()).arg(TASK);
    run.status().with_context(|| format!("start {}", line(&run)))?;

    let sessions = stage.sessions(&server)?;
    let session = sessions.into_iter().find(|session| session.repository == sample.path());
    let session = session.context("the session was not created")?;
    let done = conclude(stage, &server, &sample, &session)?;
    if then == Then::Stay {
        println!("\nThe server stays until Ctrl-C, and so does the page.");
        // The one that stopped the turn was not meant for the server.
        interrupts.pending().for_each(drop);
        interrupts.forever().next();
        println!();
    }
    if !keep {
        stage.end(&server, &session)?;
    }
    server.stop()?;
    Ok(done)
}

/// Shows what came of it.
fn conclude(stage: &Stage, server: &Server, sample: &Sample, session: &Session) -> Result<bool> {
    println!("\n$ lamplight diff {}\n", session.id);
    let mut diff = stage.at(server);
    diff.args(["diff", &session.id]).status().with_context(|| format!("start {}", line(&diff)))?;
    let tests = sample.test(&session.branch)?;
    println!("\n$ {TESTS}   (in a clean checkout of the branch)\n\n{}", tests.said.trim());
    println!("\ntests   {}", if tests.passed { "pass" } else { "do not pass" });
    println!("branch  {} of {}", session.branch, sample.path().display());
    println!("page    {}/sessions/{}", server.url, session.id);
    Ok(tests.passed && session.phase == "done")
}
