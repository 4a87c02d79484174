//! `cargo xtask …`: what is done with the repository rather than by the product.
//!
//! ```text
//! build  the page, then the programs
//! demo   install what is missing, build, serve, hand over a task, show the result
//! test   everything that must hold before a change is taken
//! tidy   the rules that a compiler does not know
//! escape what an agent could try to get out of a sandbox, tried
//! bench  what is promised, beside what a person would run instead
//! fixture  an installation of this version, which every later one has to open
//! ```

mod bench;
mod build;
mod command;
mod demo;
mod escape;
mod fixture;
mod missing;
mod stage;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Build, show and check Lamplight
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the page and the programs
    Build(build::Arguments),
    /// Hand a task to an agent and show what comes of it, installing what is missing
    Demo(demo::Arguments),
    /// Check everything
    Test(test::Arguments),
    /// Check the rules that a compiler does not know
    Tidy,
    /// Try to get out of a sandbox in every way that is known, and keep what came of it
    Escape,
    /// Measure, beside what a person would run instead
    Bench(bench::Arguments),
    /// Keep an installation of this version, which every later one has to open: at each release
    Fixture,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.task {
        Task::Build(arguments) => build::run(arguments),
        Task::Demo(arguments) => demo::run(arguments),
        Task::Test(arguments) => test::run(arguments),
        Task::Tidy => tidy::run(),
        Task::Escape => escape::run(),
        Task::Bench(arguments) => bench::run(arguments),
        Task::Fixture => fixture::run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
