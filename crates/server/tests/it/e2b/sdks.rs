//! The published SDKs, unmodified, of the oldest and the newest version that is supported: each drives a server through everything.

use super::cloud;
use super::raw::KEY;
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

/// Installs on first use, below the target directory; `None` where there is no network to do that. Tests are processes of their own, so
/// what is installed gets its name when it is whole.
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

/// Each line is a case; at least so many of them passed, and none failed.
async fn drive(mut sdk: Command, at_least: usize) {
    let cloud = cloud();
    sdk.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", cloud.server.place.path("home"));
    sdk.envs([("E2B_API_URL", &cloud.server.base), ("E2B_SANDBOX_URL", &cloud.server.base)]);
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

async fn drive_javascript(which: &str, at_least: usize) {
    let Some(home) = javascript(which).await else {
        return println!("skipped: the SDK is not installed, and there is no network to install it from");
    };
    let mut node = Command::new("node");
    node.arg(format!("{HERE}/drive.mjs")).arg(home);
    drive(node, at_least).await;
}

async fn drive_python(which: &str, at_least: usize) {
    let Some(python) = python(which).await else {
        return println!("skipped: the SDK is not installed, and there is no network to install it from");
    };
    let mut command = Command::new(python);
    command.arg(format!("{HERE}/drive.py"));
    drive(command, at_least).await;
}

#[tokio::test]
async fn the_newest_javascript_sdk_finds_its_cloud() {
    drive_javascript("newest", 58).await;
}

#[tokio::test]
async fn the_oldest_javascript_sdk_finds_its_cloud() {
    drive_javascript("oldest", 56).await;
}

#[tokio::test]
async fn the_newest_python_sdk_finds_its_cloud() {
    drive_python("newest", 50).await;
}

#[tokio::test]
async fn the_oldest_python_sdk_finds_its_cloud() {
    drive_python("oldest", 48).await;
}
