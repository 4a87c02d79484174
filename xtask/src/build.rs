//! `cargo xtask build`: the page, then the programs that carry it.
//!
//! The guest, which runs inside sandboxes, is built by the build script of `crates/sandbox`.

use crate::command::run as run_command;
use crate::missing::{self, CC, GIT};
use crate::workspace::{Workspace, cargo};
use anyhow::{Context, Result};
use clap::Args;
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Cargo's profiles that people run: fast to build, and fast to run.
pub(crate) const QUICK: &str = "quick";
pub(crate) const RELEASE: &str = "release";

/// Below `web/`: what the page is not made of.
const NOT_THE_PAGE: [&str; 5] = ["node_modules", "dist", "dev", "e2e", "test-results"];
const PROGRAMS: [&str; 2] = ["lamplight-server", "lamplight-scripted-model"];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Optimise as for a release; takes minutes
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let profile = if arguments.release { RELEASE } else { QUICK };
    all(&workspace, profile)?;
    println!("{}", workspace.program(profile, "lamplight").display());
    Ok(ExitCode::SUCCESS)
}

/// Everything, in that profile.
pub(crate) fn all(workspace: &Workspace, profile: &str) -> Result<()> {
    missing::provide(&[GIT, CC])?;
    missing::provide_musl();
    page(workspace)?;
    let mut command = cargo();
    command.args(["build", "--locked", "--profile", profile]);
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    run_command(&mut command)
}

/// Builds the page, unless nothing that it is made of changed since it was built.
pub(crate) fn page(workspace: &Workspace) -> Result<()> {
    let web = workspace.web();
    let stamp = workspace.scratch().join("page.made-of");
    let made_of = |web: &Path| Ok::<_, anyhow::Error>(format!("{} {}", digest(web)?, built(web)));
    if std::fs::read_to_string(&stamp).is_ok_and(|before| made_of(&web).is_ok_and(|now| now == before)) {
        return Ok(());
    }
    let path = missing::provide_node(workspace)?;
    libraries(&web, &path)?;
    println!("building the page");
    run_command(npm(&web, &path).args(["run", "--silent", "build"]))?;
    std::fs::create_dir_all(workspace.scratch())?;
    std::fs::write(&stamp, made_of(&web)?).with_context(|| format!("write {}", stamp.display()))
}

/// What stands for the page that was built: its first file names all others with their digests.
fn built(web: &Path) -> String {
    std::fs::read(web.join("dist/index.html")).map_or_else(|_| "not built".to_owned(), |html| hash_of(&html))
}

/// The page's libraries, exactly as its lock file names them; nothing to do when they are there.
pub(crate) fn libraries(web: &Path, path: &OsStr) -> Result<()> {
    let lock = std::fs::read(web.join("package-lock.json")).context("read web/package-lock.json")?;
    let locked = hash_of(&lock);
    let stamp = web.join("node_modules/.made-of");
    if std::fs::read_to_string(&stamp).is_ok_and(|before| before == locked) {
        return Ok(());
    }
    println!("fetching the page's libraries with npm ci");
    run_command(npm(web, path).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))?;
    std::fs::write(&stamp, locked).with_context(|| format!("write {}", stamp.display()))
}

pub(crate) fn npm(web: &Path, path: &OsStr) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(web).env("PATH", path);
    npm
}

/// Of the names and contents of everything that the page is made of.
fn digest(web: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(web, &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let content = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        (file.strip_prefix(web)?, content).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let is_page = !NOT_THE_PAGE.iter().any(|name| entry.file_name() == *name);
        if entry.file_type()?.is_dir() {
            if is_page {
                collect(&entry.path(), files)?;
            }
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn hash_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
