//! The published SDKs, unmodified, of the oldest and the newest version that is supported: each drives a server through everything.

use super::cloud_that;
use super::outside::Outside;
use super::raw::{Cloud, KEY};
use super::registry::Registry;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(400);

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2b");

/// How pip and npm say that there is no network.
const NO_NETWORK: [&str; 8] = [
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "ConnectTimeoutError",
    "EAI_AGAIN",
    "ENOTFOUND",
    "ETIMEDOUT",
];

/// Installs on first use, below the target directory; `None` where there is no network to do that.
async fn installed(
    name: &str,
    wanted: &Path,
    install: impl AsyncFnOnce(&Path) -> Option<()>,
) -> Option<PathBuf> {
    let (home, done) = (Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2b-{name}")), "as-wanted");
    let wanted = std::fs::read_to_string(wanted).unwrap();
    if std::fs::read_to_string(home.join(done)).ok().as_ref() == Some(&wanted) {
        return Some(home);
    }
    // Tests are processes of their own, and two of them may want the same.
    let lock = std::fs::File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(home.join(done)).ok().as_ref() == Some(&wanted) {
        return Some(home);
    }
    let _old = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).unwrap();
    install(&home).await?;
    std::fs::write(home.join(done), wanted).unwrap();
    Some(home)
}

/// `None` where that fails for want of a network.
async fn run(command: &mut Command) -> Option<()> {
    let output =
        command.stdin(Stdio::null()).output().await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !output.status.success() && NO_NETWORK.iter().any(|words| said.contains(words)) {
        return None;
    }
    assert!(output.status.success(), "{command:?}: {said}");
    Some(())
}

async fn javascript(which: &str) -> Option<PathBuf> {
    let from = Path::new(HERE).join(format!("js-{which}"));
    installed(&format!("js-{which}"), &from.join("package-lock.json"), async |home| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(from.join(file), home.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(home);
        run(&mut npm).await
    })
    .await
}

async fn python(which: &str) -> Option<PathBuf> {
    let wanted = Path::new(HERE).join(format!("python-{which}.txt"));
    let name = format!("python-{which}");
    let home = installed(&name, &wanted, async |home| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home)).await?;
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "-r"]);
        run(pip.arg(&wanted)).await
    });
    Some(home.await?.join("bin/python"))
}

/// An archive with matplotlib, which few machines have, for who uploads it; `None` where it cannot be installed.
async fn charts() -> Option<PathBuf> {
    let python = python("charts").await?;
    let home = python.parent()?.parent()?;
    let (archive, new) = (home.join("charts.tar.gz"), home.join(format!("charts-{}", std::process::id())));
    if !archive.exists() {
        let mut versions = std::fs::read_dir(home.join("lib")).unwrap().flatten();
        let packages = versions.next().unwrap().path().join("site-packages");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(packages).args(["--exclude=pip*", "--exclude=tests", "-czf"]).arg(&new).arg(".");
        run(&mut tar).await?;
        // Tests are processes of their own, and two of them may make the same.
        std::fs::rename(new, &archive).unwrap();
    }
    Some(archive)
}

/// Each line is a case; at least so many of them passed, and none failed.
async fn drive(mut sdk: Command, at_least: usize) {
    let (outside, registry, charts) = (Outside::open().await, Registry::start().await, charts().await);
    let allowed = registry.as_ref().map(Registry::allowed).unwrap_or_default();
    let cloud = cloud_that(&allowed, &outside.allowed());
    sdk.envs(outside.told());
    sdk.envs(registry.iter().map(|registry| ("IMAGE", registry.image())));
    sdk.envs(charts.iter().map(|place| ("CHARTS", place)));
    sdk.envs([("E2B_API_URL", &cloud.server.base), ("E2B_SANDBOX_URL", &cloud.server.base)]);
    passed(&mut sdk, &cloud, at_least).await;
}

/// Runs the cases against a server that they find already.
pub(super) async fn passed(sdk: &mut Command, cloud: &Cloud, at_least: usize) {
    sdk.env("E2B_API_KEY", KEY).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(SOON, sdk.output()).await.expect("the SDK comes to its end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED ")).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    let ended = said.lines().any(|line| line.starts_with("done "));
    assert!(ended && passed >= at_least, "{passed} cases passed, and it ended: {ended}");
    cloud.nothing_is_left().await;
}

/// The SDK and its cases, in an environment made from nothing; `None` where it cannot be installed.
pub(super) async fn sdk(language: &str, which: &str) -> Option<Command> {
    let (program, script, home) = match language {
        "javascript" => (PathBuf::from("node"), "js/drive.mjs", Some(javascript(which).await?)),
        _ => (python(which).await?, "drive.py", None),
    };
    let mut command = Command::new(program);
    command.arg(format!("{HERE}/{script}")).args(home).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    // Nothing is to be left beside the cases.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// Where there is no network to install them from.
pub(super) fn skipped() {
    println!("skipped: the SDK is not installed, and there is no network to install it from");
}

async fn drive_if_there(language: &str, which: &str, at_least: usize) {
    match sdk(language, which).await {
        Some(sdk) => drive(sdk, at_least).await,
        None => skipped(),
    }
}

#[tokio::test]
async fn the_newest_javascript_sdk_finds_its_cloud() {
    drive_if_there("javascript", "newest", 159).await;
}

#[tokio::test]
async fn the_oldest_javascript_sdk_finds_its_cloud() {
    drive_if_there("javascript", "oldest", 140).await;
}

#[tokio::test]
async fn the_newest_python_sdk_finds_its_cloud() {
    drive_if_there("python", "newest", 144).await;
}

#[tokio::test]
async fn the_oldest_python_sdk_finds_its_cloud() {
    drive_if_there("python", "oldest", 130).await;
}
