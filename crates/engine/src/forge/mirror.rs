//! Repositories of GitHub as they are kept here: bare, one directory each under the data directory, which sessions take for theirs.
//! Branches of sessions are in it beside those that were fetched, and are not fetched over while their sessions live: that of a pull request
//! that a session works on is the session's, until it ends.

use crate::engine::{Shared, parse_view};
use crate::{CommandError, git};
use anyhow::{Context as _, anyhow};
use lamplight_domain::SessionId;
use lamplight_integrations::github::Scope;
use lamplight_integrations::{GitHub, Repository};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Of what git says of a fetch, in bytes.
const SAID_BYTES: usize = 2_000;
/// Where commits are named that are on no branch any more.
const KEPT: &str = "refs/lamplight/kept";
/// Directory of all mirrors, in the data directory.
const DIRECTORY: &str = "mirrors";

/// Who is fetching: one at a time into each.
#[derive(Default)]
pub(crate) struct Mirrors(Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>);

impl Mirrors {
    fn turn(&self, path: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(path.to_owned()).or_default().clone()
    }
}

/// Whether a session's repository is one of these, so that its work goes to GitHub and is merged there.
pub(crate) fn is_mirror(data_dir: &Path, repository: &str) -> bool {
    let mirrors = data_dir.join(DIRECTORY);
    let mirrors = mirrors.canonicalize().unwrap_or(mirrors);
    Path::new(repository).starts_with(mirrors)
}

/// Where it is kept, or would be.
pub(super) fn path_of(data_dir: &Path, repository: &Repository) -> PathBuf {
    let Repository { host, owner, name } = repository;
    data_dir
        .join(DIRECTORY)
        .join(host)
        .join(owner.to_lowercase())
        .join(format!("{}.git", name.to_lowercase()))
}

/// The repository with this branch as it is there now, which is what work starts from.
pub(crate) async fn bring(
    shared: &Shared,
    github: &GitHub,
    repository: &Repository,
    branch: &str,
) -> Result<PathBuf, CommandError> {
    let path = bring_beside(shared, github, repository, branch).await?;
    git::line(&path, &["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).await?;
    Ok(path)
}

/// The same of a branch beside the one that work starts from.
pub(super) async fn bring_beside(
    shared: &Shared,
    github: &GitHub,
    repository: &Repository,
    branch: &str,
) -> Result<PathBuf, CommandError> {
    let path = path_of(&shared.config.data_dir, repository);
    let forge = shared.forge.as_ref().context("GitHub is not configured")?;
    let turn = forge.mirrors.turn(&path);
    let _alone = turn.lock().await;
    prepare(&path, repository).await?;
    let reference = format!("refs/heads/{branch}");
    let before = git::line(&path, &["rev-parse", "--verify", "--quiet", &reference]).await.ok();
    if before.is_some() && is_worked_on(shared, repository, branch).await? {
        return Ok(path);
    }
    let token = github.token(repository, Scope::Fetch).await.map_err(crate::pull_request::in_words)?;
    let place = git::Place { address: &github.config().git, token: &token };
    let address = github.git_address(repository);
    let what = format!("+{reference}:{reference}");
    let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &address, &what];
    let output = git::elsewhere(&path, &place, &arguments).await?;
    if !output.status.success() {
        let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        said.truncate(said.floor_char_boundary(SAID_BYTES));
        return Err(CommandError::invalid(
            "fetch_failed",
            format!("{repository} could not be fetched: {said}"),
            "See that the branch is there and that the token may read the repository.",
        ));
    }
    // What a session that has ended could not publish is nowhere else.
    if let Some(before) = before
        && !git::is_within(&path, &before, &reference).await?
    {
        git::line(&path, &["update-ref", &format!("{KEPT}/{before}"), &before]).await?;
    }
    Ok(path)
}

/// Whether a session that has not ended has this branch for its own.
pub(super) async fn is_worked_on(
    shared: &Shared,
    repository: &Repository,
    branch: &str,
) -> Result<bool, CommandError> {
    let name = repository.to_string().to_lowercase();
    let Some(thread) = shared.store.thread_of_branch(&name, branch).await? else { return Ok(false) };
    let Some(row) = shared.store.summary(&thread.session).await? else { return Ok(false) };
    Ok(!parse_view(&row.body)?.ended)
}

/// The repository of a session that was at another server, where it is a mirror that this one has not made yet: with what is on GitHub of the
/// session. Without it the session says what it lacks.
pub(crate) async fn bring_for(shared: &Shared, id: &SessionId) {
    let Ok(Some(row)) = shared.store.summary(id).await else { return };
    let (Ok(view), Some(github)) = (parse_view(&row.body), &shared.github) else { return };
    let path = Path::new(&view.repository);
    if !is_mirror(&shared.config.data_dir, &view.repository) || path.exists() {
        return;
    }
    let Some(repository) = named_by(path).and_then(|name| github.repository(&name)) else { return };
    // The session's own is not there before its first work is; the last is what HEAD names.
    for branch in [&view.branch, &view.base] {
        if let Err(error) = bring(shared, github, &repository, branch).await {
            tracing::info!(session.id = %id, branch, %error, "a branch of a session that was at another server could not be fetched");
        }
    }
}

/// `owner/name` of a mirror's directory.
fn named_by(path: &Path) -> Option<String> {
    let (owner, name) = (path.parent()?.file_name()?.to_str()?, path.file_stem()?.to_str()?);
    Some(format!("{owner}/{name}"))
}

/// What is there already stays.
async fn prepare(path: &Path, repository: &Repository) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(path).await.with_context(|| format!("make {}", path.display()))?;
    let init = git::output(path, &["init", "--quiet", "--bare"]).await?;
    if !init.status.success() {
        return Err(anyhow!("git init: {}", String::from_utf8_lossy(&init.stderr).trim()));
    }
    // Where it comes from, for whoever looks and for publishing; what is fetched and pushed says its address itself.
    let origin = format!("https://{}/{repository}.git", repository.host);
    git::line(path, &["config", "remote.origin.url", &origin]).await.map(drop)
}
