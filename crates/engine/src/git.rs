//! The machine's own git, on the person's own repository. Never with the sandbox's configuration, never with hooks, filters
//! of a diff, or a prompt.

use crate::world;
use anyhow::{Context as _, anyhow};
use lamplight_domain::Person;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// How long one git command may take.
const WAIT: Duration = Duration::from_secs(60);
/// How long a push or a fetch may take, with all that is new in a branch.
const ELSEWHERE_WAIT: Duration = Duration::from_secs(10 * 60);

/// Answers git with the token, which is in the environment: command lines are seen by everybody.
const HELPER: &str = "!f() { test \"$1\" = get && \
    printf 'username=x-access-token\\npassword=%s\\n' \"$LAMPLIGHT_GIT_TOKEN\"; }; f";

/// Where other repositories are, and with what they are reached.
pub(crate) struct Place<'a> {
    /// What their addresses begin with; nobody else gets the token, wherever a redirect may lead.
    pub address: &'a str,
    pub token: &'a str,
}

/// Runs git in `repository`; an answer of any exit status.
pub(crate) async fn output(repository: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    if let Some(world) = world::given() {
        return Ok(world.git(repository, arguments));
    }
    let child = command(repository, arguments).output();
    let output = tokio::time::timeout(WAIT, child).await;
    output
        .map_err(|_| anyhow!("git {} took longer than {} s", arguments.join(" "), WAIT.as_secs()))?
        .with_context(|| format!("start git {}", arguments.join(" ")))
}

/// Like [`output`], for what is sent to a repository elsewhere or fetched from it.
pub(crate) async fn elsewhere(
    repository: &Path,
    place: &Place<'_>,
    arguments: &[&str],
) -> anyhow::Result<Output> {
    let credentials = format!("credential.{}.helper={HELPER}", place.address);
    let what = arguments.first().copied().unwrap_or_default();
    let all: Vec<&str> = ["-c", "credential.helper=", "-c", &credentials]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let child = command(repository, &all).env("LAMPLIGHT_GIT_TOKEN", place.token).output();
    let output = tokio::time::timeout(ELSEWHERE_WAIT, child).await;
    output
        .map_err(|_| anyhow!("git {what} took longer than {} s", ELSEWHERE_WAIT.as_secs()))?
        .with_context(|| format!("start git {what}"))
}

/// The first line of what a git command printed; an error when it failed.
pub(crate) async fn line(repository: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = output(repository, arguments).await?;
    if !output.status.success() {
        return Err(anyhow!(
            "git {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

/// Whether the later one goes on from the earlier one.
pub(crate) async fn is_within(repository: &Path, earlier: &str, later: &str) -> anyhow::Result<bool> {
    Ok(output(repository, &["merge-base", "--is-ancestor", earlier, later]).await?.status.success())
}

/// A commit to be made.
pub(crate) struct NewCommit<'a> {
    pub tree: &'a str,
    pub parents: &'a [&'a str],
    pub message: &'a str,
    pub person: &'a Person,
    /// As git reads one, such as `@1763722200 +0000`.
    pub date: &'a str,
    /// Of SSH, that it is signed with; the same commit is signed the same each time by keys of the kind ed25519 and RSA.
    pub key: Option<&'a Path>,
}

/// Makes it; its id.
pub(crate) async fn commit_tree(repository: &Path, new: &NewCommit<'_>) -> anyhow::Result<String> {
    let key = new.key.map(|key| format!("user.signingKey={}", key.display()));
    let signing: Vec<&str> = match &key {
        Some(key) => vec!["-c", "gpg.format=ssh", "-c", key],
        None => Vec::new(),
    };
    let parents = new.parents.iter().flat_map(|parent| ["-p", parent]);
    let sign = new.key.map(|_| "-S");
    let commit = ["commit-tree", new.tree].into_iter().chain(sign).chain(parents);
    let all: Vec<&str> = signing.into_iter().chain(commit).chain(["-m", new.message]).collect();
    let mut command = command(repository, &all);
    for role in ["AUTHOR", "COMMITTER"] {
        for (what, value) in
            [("NAME", new.person.name.as_str()), ("EMAIL", &new.person.email), ("DATE", new.date)]
        {
            command.env(format!("GIT_{role}_{what}"), value);
        }
    }
    let output = tokio::time::timeout(WAIT, command.output()).await;
    let output = output.map_err(|_| anyhow!("git commit-tree took longer than {} s", WAIT.as_secs()))??;
    if !output.status.success() {
        return Err(anyhow!("git commit-tree: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What a git command prints, up to `limit` bytes, and whether there was more.
pub(crate) async fn bounded(
    repository: &Path,
    arguments: &[&str],
    limit: usize,
) -> anyhow::Result<(Vec<u8>, bool)> {
    let mut child = command(repository, arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().context("git has a standard output")?;
    let mut text = Vec::new();
    let mut stdout = stdout.take(limit as u64 + 1);
    let reading = stdout.read_to_end(&mut text);
    tokio::time::timeout(WAIT, reading)
        .await
        .map_err(|_| anyhow!("git {} took too long", arguments.join(" ")))??;
    let more = text.len() > limit;
    text.truncate(limit);
    Ok((text, more))
}

fn command(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.quotePath=false",
            "-C",
        ])
        .arg(repository)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
