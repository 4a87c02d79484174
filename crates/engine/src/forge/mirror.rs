//! Repositories of GitHub as they are kept here: bare, one directory each under the data directory, which sessions take for theirs.
//! Branches of sessions are in it beside those that were fetched, and are not fetched over while their sessions live: that of a pull request
//! that a session works on is the session's, until it ends. A branch that sessions have made is never fetched over for another session to start
//! from: what is on it may be nowhere else.

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
/// What the branches begin with that sessions make.
pub(crate) const OURS: &str = "lamplight/";
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
    Path::new(repository).starts_with(directory(data_dir))
}

/// What the mirror at this path is of, whether it was made already or not.
pub(crate) fn mirrored(data_dir: &Path, path: &Path, github: &GitHub) -> Option<Repository> {
    let below = path.strip_prefix(directory(data_dir)).ok()?;
    let name = named_by(path).filter(|_| below.starts_with(&github.config().host))?;
    github.repository(&name)
}

/// Of all of them, without symbolic links, as sessions name their repositories.
fn directory(data_dir: &Path) -> PathBuf {
    let mirrors = data_dir.join(DIRECTORY);
    let of_data = || data_dir.canonicalize().map(|data_dir| data_dir.join(DIRECTORY));
    mirrors.canonicalize().or_else(|_| of_data()).unwrap_or(mirrors)
}

/// Where it is kept, or would be.
pub(crate) fn path_of(data_dir: &Path, repository: &Repository) -> PathBuf {
    let Repository { host, owner, name } = repository;
    directory(data_dir).join(host).join(owner.to_lowercase()).join(format!("{}.git", name.to_lowercase()))
}

/// Whether it is the name of one branch. Of anything else git could make a pattern, or two names.
pub(crate) async fn is_branch(data_dir: &Path, name: &str) -> anyhow::Result<bool> {
    let reference = format!("refs/heads/{name}");
    // Nothing with this character in it can be given to a program.
    Ok(!name.contains('\0')
        && git::output(data_dir, &["check-ref-format", &reference]).await?.status.success())
}

/// The repository with this branch as it is there now, which is what work starts from.
pub(crate) async fn bring(
    shared: &Shared,
    github: &GitHub,
    repository: &Repository,
    branch: &str,
) -> Result<PathBuf, CommandError> {
    let (path, reference) = (path_of(&shared.config.data_dir, repository), format!("refs/heads/{branch}"));
    let is_here = git::line(&path, &["rev-parse", "--verify", "--quiet", &reference]).await.is_ok();
    if !(is_here && branch.starts_with(OURS)) {
        bring_beside(shared, github, repository, branch).await?;
    }
    git::line(&path, &["symbolic-ref", "HEAD", &reference]).await?;
    Ok(path)
}

/// The same of a branch beside the one that work starts from.
pub(super) async fn bring_beside(
    shared: &Shared,
    github: &GitHub,
    repository: &Repository,
    branch: &str,
) -> Result<PathBuf, CommandError> {
    if !is_branch(&shared.config.data_dir, branch).await? {
        return Err(CommandError::invalid(
            "branch_invalid",
            format!("{branch:?} cannot be the name of a branch"),
            "Name one branch that is there.",
        ));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_branch_is_one_name_and_no_pattern() {
        for name in ["main", "feature/one", "lamplight/fix-wrap-01ja", "größer", "v1.2"] {
            assert!(is_branch(Path::new("/"), name).await.unwrap(), "{name}");
        }
        for name in [
            "",
            "*",
            "lamplight/*",
            "main:other",
            "a..b",
            "a b",
            "a\nb",
            "a\0b",
            "@{-1}",
            "a.lock",
            "/a",
            "a/",
        ] {
            assert!(!is_branch(Path::new("/"), name).await.unwrap(), "{name:?}");
        }
    }
}
