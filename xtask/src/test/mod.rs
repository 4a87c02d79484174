//! `cargo xtask test`: everything that must hold before a change is taken, cheapest first, all of it even when
//! something fails. The last line counts.
//!
//! Every Rust program is built once, in cargo's `dev` profile: the tests, the page's browser tests and the demo share it. Only the simulation
//! is built once more, optimised, because it runs thousands of stories.

mod browser;
mod demos;
mod deploy;
mod page;
mod peers;
mod rust;
mod tally;

use crate::command::output_of;
use crate::missing::{self, CC, CRUN, GIT, GIT_LFS, PYTHON, REGISTRY, SSH_KEYGEN};
use crate::tidy;
use crate::workspace::Workspace;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;
use tally::Tally;

/// Cargo's profile for all that is built here.
const DEV: &str = "dev";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The demo with every agent, not with goose alone, and the page with VS Code itself
    #[arg(long)]
    agents: bool,
    /// Leave out what starts a browser or a real agent
    #[arg(long)]
    fast: bool,
    /// Only have our requests judged, by GitHub's own descriptions of its interfaces; fetches some 190 MB
    #[arg(long, conflicts_with_all = ["agents", "fast"])]
    peers: bool,
}

/// What the steps share.
struct Run {
    workspace: Workspace,
    /// Where node and npm are found.
    path: OsString,
}

impl Run {
    /// For what the tests start; apart from the demo's, which may be in use.
    fn directory(&self, name: &str) -> PathBuf {
        self.workspace.scratch().join("test").join(name)
    }
}

type Step<'a> = (&'a str, Box<dyn Fn(&Run) -> Result<Tally>>);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    missing::provide(&[GIT, GIT_LFS, CC, PYTHON, SSH_KEYGEN])?;
    missing::provide_venv()?;
    missing::provide_postgresql()?;
    missing::provide_musl();
    // Tests that want one of these say that they are skipped where there is none.
    for need in [CRUN, REGISTRY] {
        if let Err(error) = missing::provide(&[need]) {
            println!("without {}: {error:#}", need.program);
        }
    }
    let workspace = Workspace::find()?;
    let path = missing::provide_node(&workspace)?;
    let run = Run { workspace, path };
    if arguments.peers {
        return ended(vec![("peers", Box::new(peers::check))], &run);
    }
    let mut steps: Vec<Step> = vec![
        ("format", Box::new(rust::format)),
        ("tidy", Box::new(|_| tidy())),
        ("page", Box::new(page::check)),
        ("clippy", Box::new(rust::clippy)),
        ("tests", Box::new(rust::tests)),
        ("simulation", Box::new(rust::simulation)),
        ("deploy", Box::new(deploy::check)),
    ];
    if !arguments.fast {
        let agents = arguments.agents;
        steps.push(("browser", Box::new(move |run| browser::check(run, agents))));
        steps.push(("demo", Box::new(move |run| demos::check(run, agents))));
    }
    ended(steps, &run)
}

/// All of them, whatever becomes of each, and then what became of them.
fn ended(steps: Vec<Step>, run: &Run) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for (name, step) in steps {
        println!("\n── {name} ──");
        let start = now();
        let tally = step(run).unwrap_or_else(|error| {
            println!("{error:#}");
            Tally::failed(1)
        });
        rows.push((name, start.elapsed().as_secs(), tally));
    }
    println!();
    for (name, seconds, tally) in &rows {
        println!("{} {name:10} {seconds:4} s  {tally}", if tally.failed == 0 { "✓" } else { "✗" });
    }
    let total: Tally = rows.into_iter().map(|(_, _, tally)| tally).sum();
    println!("\n{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tidy() -> Result<Tally> {
    let checked = tidy::complaints()?;
    let failed = checked.iter().filter(|(_, complaints)| !complaints.is_empty()).count();
    Ok(Tally { passed: checked.len() - failed, failed, skipped: 0 })
}

/// One command that passes or fails; its output is shown when it fails.
fn one(command: &mut Command) -> Tally {
    match output_of(command) {
        Ok(_) => Tally::passed(1),
        Err(error) => {
            println!("{error:#}");
            Tally::failed(1)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is how long a person waits")]
fn now() -> Instant {
    Instant::now()
}
