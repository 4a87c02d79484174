//! `cargo xtask bench`: what is promised, measured beside what a person would run instead, in one run. Prints tables and
//! keeps them in docs/benchmarks.md.
//!
//! A peer that cannot be had is in its table with the reason. Numbers of different runs are not comparable: the machine
//! is shared with whatever else runs on it. Ratios within one run are.

mod e2b;
mod events;
mod gateway;
mod gateway_peers;
mod github;
mod http;
mod kills;
mod machine;
mod page;
mod peers;
mod postgres;
mod process;
mod sandbox;
mod scale;
mod sessions;
mod start;
mod table;

use crate::build::{self, RELEASE};
use crate::command::run as run_command;
use crate::missing::{self, GIT, Need};
use crate::workspace::{Workspace, cargo};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

const DOCUMENT: &str = "docs/benchmarks.md";
const BWRAP: Need = Need { program: "bwrap", package: "bubblewrap", why: "sandboxes are measured beside it" };
/// What is built for measuring, beside the programs: package, kind of target, name.
const BUILT: [(&str, &str, &str); 8] = [
    ("lamplight-agent", "--bin", "scripted-agent"),
    ("lamplight-sandbox", "--bin", "lamplight-launch"),
    ("lamplight-sandbox", "--example", "sandbox_times"),
    ("lamplight-gateway", "--example", "gateway_load"),
    ("lamplight-fake-github", "--example", "github_load"),
    ("lamplight-store", "--example", "append_rate"),
    ("lamplight-store", "--example", "copies"),
    ("xtask", "--example", "load"),
];

type Measure = fn(&Bench) -> Result<Vec<Table>>;

const BENCHES: [(&str, Measure); 11] = [
    ("start", start::measure),
    ("sandbox", sandbox::measure),
    ("gateway", gateway::measure),
    ("github", github::measure),
    ("delivery", events::delivery),
    ("durable", events::durable),
    ("sessions", sessions::measure),
    ("scale", scale::measure),
    ("page", page::measure),
    ("e2b", e2b::measure),
    ("kills", kills::measure),
];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which: start, sandbox, gateway, github, delivery, durable, sessions, scale, page, e2b, kills; all without any
    names: Vec<String>,
}

/// What all measurements share.
struct Bench {
    workspace: Workspace,
    /// Where node and npm are found.
    path: OsString,
    /// Everything that is measured lies here, and on this disk.
    directory: PathBuf,
}

impl Bench {
    fn program(&self, name: &str) -> PathBuf {
        self.workspace.program(RELEASE, name)
    }

    fn example(&self, name: &str) -> PathBuf {
        self.workspace.program(RELEASE, "examples").join(name)
    }

    /// A directory that did not exist before.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let new = (1_u32..).map(|n| self.directory.join(format!("{name}-{n}"))).find(|path| !path.exists());
        let new = new.context("every number is taken")?;
        std::fs::create_dir_all(&new).with_context(|| format!("make {}", new.display()))?;
        Ok(new)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    if let Some(unknown) = arguments.names.iter().find(|name| BENCHES.iter().all(|(known, _)| known != name))
    {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("there is no bench {unknown:?}; there are {}", known.join(", "));
    }
    missing::provide(&[GIT])?;
    let path = missing::provide_node(&workspace)?;
    // What is measured by itself needs less; all but the gateway is measured with the server.
    let (only, serves) = match arguments.names.as_slice() {
        [name] if name == "sandbox" => {
            (vec!["lamplight-agent", "lamplight-gateway", "lamplight-sandbox"], true)
        }
        [name] if name == "gateway" => (vec!["lamplight-gateway"], false),
        [name] if name == "github" => (vec!["lamplight-agent", "lamplight-fake-github"], true),
        [name] if name == "page" => (vec!["lamplight-agent", "lamplight-store"], true),
        _ => (BUILT.iter().map(|(package, ..)| *package).collect(), true),
    };
    if serves {
        build::all(&workspace, RELEASE)?;
    }
    // One call, or cargo would build what they share once for each of them.
    let mut programs = cargo();
    programs.args(["build", "--locked", "--profile", RELEASE]);
    for (package, kind, name) in BUILT.iter().filter(|(package, ..)| only.contains(package)) {
        programs.args(["--package", package, kind, name]);
    }
    run_command(&mut programs)?;
    if let Err(error) = missing::provide(&[BWRAP]) {
        println!("{error:#}");
    }
    let directory = workspace.scratch().join("bench");
    if directory.exists() {
        std::fs::remove_dir_all(&directory).with_context(|| format!("empty {}", directory.display()))?;
    }
    let bench = Bench { workspace, path, directory };

    let (heading, sitting) = (machine::heading()?, machine::sitting()?);
    let file = bench.workspace.root.join(DOCUMENT);
    let all = arguments.names.is_empty();
    let mut document = if all { heading } else { std::fs::read_to_string(&file).unwrap_or_default() };
    for (name, measure) in BENCHES {
        if !arguments.names.is_empty() && !arguments.names.iter().any(|chosen| chosen == name) {
            continue;
        }
        println!("measuring {name}");
        for table in measure(&bench).with_context(|| format!("measure {name}"))? {
            let text = table.to_string();
            println!("\n{text}");
            document = match all {
                true => format!("{document}\n{text}"),
                false => replaced(&document, &text, &sitting),
            };
        }
    }
    std::fs::write(&file, document).with_context(|| format!("write {}", file.display()))?;
    println!("kept in {DOCUMENT}");
    Ok(ExitCode::SUCCESS)
}

/// The document with a table that was measured by itself in place of the one with the same title, or at its end.
fn replaced(document: &str, table: &str, sitting: &str) -> String {
    let title = table.lines().next().unwrap_or_default();
    let table = table.replacen("\n\n", &format!("\n\n{sitting} "), 1);
    let mut sections: Vec<String> = Vec::new();
    for line in document.split_inclusive('\n') {
        match sections.last_mut() {
            Some(section) if !line.starts_with("## ") => section.push_str(line),
            _ => sections.push(line.to_owned()),
        }
    }
    match sections.iter_mut().find(|section| section.lines().next() == Some(title)) {
        // What parts it from the next one stays.
        Some(section) => {
            let gap = if section.ends_with("\n\n") { "\n" } else { "" };
            *section = format!("{table}{gap}");
        }
        None => sections.push(format!("\n{table}")),
    }
    sections.concat()
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_table_that_was_measured_by_itself_takes_its_old_place() {
        let document = "# All\n\nHow.\n\n## One\n\nOld.\n\n| a |\n\n## Two\n\nTwo.\n";
        let new = replaced(document, "## One\n\nNew.\n\n| b |\n", "By itself.");
        assert_eq!(new, "# All\n\nHow.\n\n## One\n\nBy itself. New.\n\n| b |\n\n## Two\n\nTwo.\n");
        let new = replaced("# All\n\n## One\n\nOne.\n", "## Two\n\nTwo.\n", "By itself.");
        assert_eq!(new, "# All\n\n## One\n\nOne.\n\n## Two\n\nBy itself. Two.\n");
    }
}
