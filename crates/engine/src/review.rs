//! What a person looks at, and takes: the branch's diff, and its merge into their own repository.

use crate::error::CommandError;
pub use crate::patch::{FileDiff, FileStatus};
use crate::session::Message;
use crate::{Engine, git, patch};
use anyhow::Context as _;
use lamplight_domain::session::{Report, SessionView};
use lamplight_domain::{SessionId, TurnNumber};
use serde::Serialize;
use std::path::Path;

/// Longest diff that is shown; bytes of patch.
const DIFF_BYTES: usize = 4 << 20;

/// The changes between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Forty hexadecimal digits each.
    pub base: String,
    pub head: String,
    pub files: Vec<FileDiff>,
    /// There is more than is shown.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    pub into: String,
    pub commit: String,
}

impl Engine {
    /// Merges the session's branch into the branch it started from, in the person's own repository.
    pub async fn merge(&self, id: &SessionId, by: String) -> Result<Merged, CommandError> {
        let view = self.view(id).await?;
        self.refuse_into_parent(&view).await?;
        if crate::forge::is_mirror(&self.shared.config.data_dir, &view.repository) {
            return Err(CommandError::invalid(
                "merged_elsewhere",
                "the repository is a copy of one on GitHub, and what is merged into the copy goes nowhere",
                "merge the pull request there",
            ));
        }
        let merged = merge(&view).await?;
        let report = Report::BranchMerged { into: merged.into.clone(), commit: merged.commit.clone(), by };
        self.shared.send(id, Message::Report(report)).await?;
        Ok(merged)
    }

    /// A session's branch is written by that session alone: what somebody else puts there is replaced by its next commit. A fork goes on from
    /// where its origin does.
    pub(crate) async fn refuse_into_parent(&self, view: &SessionView) -> Result<(), CommandError> {
        let (mut parent, mut origin) = (view.family.parents.last().cloned(), view.origin.clone());
        while let (None, Some(of)) = (&parent, &origin) {
            let before = self.view(&of.session).await?;
            (parent, origin) = (before.family.parents.last().cloned(), before.origin);
        }
        let Some(parent) = parent else { return Ok(()) };
        let parent = self.view(&parent).await?;
        if parent.branch != view.base || parent.ended {
            return Ok(());
        }
        let branch = &view.branch;
        Err(CommandError::invalid(
            "merged_by_parent",
            format!(
                "it goes on from the branch of the session {}, which that session writes alone",
                parent.id
            ),
            format!(
                "prompt that session to `git fetch origin {branch}` and `git merge FETCH_HEAD`, or end it first"
            ),
        ))
    }

    /// What the session's branch, or one turn, changed.
    pub async fn diff(&self, id: &SessionId, turn: Option<TurnNumber>) -> Result<Diff, CommandError> {
        diff(&self.view(id).await?, turn).await
    }
}

/// What is shown, merged and published of a session: its last commit. Once it has ended, what its children brought to its branch is part of
/// that.
pub(crate) async fn head(view: &SessionView) -> Result<Option<String>, CommandError> {
    let Some(last) = view.commits.last().map(|commit| commit.commit.id.clone()) else { return Ok(None) };
    if !view.ended || view.family.children.is_empty() {
        return Ok(Some(last));
    }
    let repository = Path::new(&view.repository);
    let branch = format!("refs/heads/{}^{{commit}}", view.branch);
    match git::line(repository, &["rev-parse", "--verify", "--quiet", &branch]).await {
        Ok(tip) if git::is_within(repository, &last, &tip).await? => Ok(Some(tip)),
        Ok(_) | Err(_) => Ok(Some(last)),
    }
}

/// What the session's branch changed since it left its base, or what one turn's commit changed.
async fn diff(view: &SessionView, turn: Option<TurnNumber>) -> Result<Diff, CommandError> {
    let repository = Path::new(&view.repository);
    let Some(last) = head(view).await? else {
        let head = git::line(repository, &["rev-parse", &format!("refs/heads/{}", view.base)]).await?;
        return Ok(Diff { base: head.clone(), head, files: Vec::new(), truncated: false });
    };
    let (base, head) = match turn {
        Some(turn) => {
            let commit = view.commits.iter().find(|commit| commit.turn == turn).ok_or_else(|| {
                CommandError::invalid(
                    "turn_without_commit",
                    format!("turn {turn} changed no file"),
                    "ask for another turn, or for the whole branch",
                )
            })?;
            (format!("{}^", commit.commit.id), commit.commit.id.clone())
        }
        None => {
            let base = format!("refs/heads/{}", view.base);
            (git::line(repository, &["merge-base", &base, &last]).await?, last)
        }
    };
    let base = git::line(repository, &["rev-parse", &base]).await?;
    let arguments = [patch::ARGUMENTS, &[&base, &head, "--"]].concat();
    let (text, truncated) = git::bounded(repository, &arguments, DIFF_BYTES).await?;
    Ok(Diff { base, head, files: patch::parse(&String::from_utf8_lossy(&text)), truncated })
}

/// Merges the session's branch into its base. Where the base is checked out, in that working tree; else without one.
async fn merge(view: &SessionView) -> Result<Merged, CommandError> {
    let repository = Path::new(&view.repository);
    let Some(head) = head(view).await? else {
        return Err(CommandError::invalid(
            "nothing_to_merge",
            "the branch has no commit of its own",
            "wait for a turn that changes something",
        ));
    };
    let is_its_own = view.commits.last().is_some_and(|last| last.commit.id == head);
    if let Some(merged) = &view.merged
        && (is_its_own || git::is_within(repository, &head, &merged.commit).await?)
    {
        return Err(CommandError::invalid(
            "nothing_to_merge",
            "the branch is merged already",
            "prompt for more work first",
        ));
    }
    let into = view.base.clone();
    let reference = format!("refs/heads/{into}");
    let before = git::line(repository, &["rev-parse", &reference]).await?;
    let bare = git::line(repository, &["rev-parse", "--is-bare-repository"]).await? == "true";
    let checked_out =
        git::line(repository, &["symbolic-ref", "--quiet", "HEAD"]).await.is_ok_and(|head| head == reference);
    if checked_out && !bare {
        merge_in_working_tree(repository, view, &head).await?;
    } else {
        merge_without_working_tree(repository, view, &reference, &before, &head).await?;
    }
    let commit = git::line(repository, &["rev-parse", &reference]).await?;
    Ok(Merged { into, commit })
}

async fn merge_in_working_tree(
    repository: &Path,
    view: &SessionView,
    head: &str,
) -> Result<(), CommandError> {
    let message = format!("Merge {}", view.branch);
    let (name, email) =
        (format!("user.name={}", view.person.name), format!("user.email={}", view.person.email));
    let merge = [
        "-c",
        &name,
        "-c",
        &email,
        "-c",
        "commit.gpgSign=false",
        "merge",
        "--no-verify",
        "-m",
        &message,
        head,
    ];
    let output = git::output(repository, &merge).await?;
    if output.status.success() {
        return Ok(());
    }
    let conflicts = git::output(repository, &["diff", "--name-only", "--diff-filter=U"]).await?;
    let conflicts = String::from_utf8_lossy(&conflicts.stdout).trim().replace('\n', ", ");
    if conflicts.is_empty() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CommandError::invalid(
            "merge_refused",
            format!("git refused the merge: {why}"),
            "commit or stash your own changes first, then merge again",
        ));
    }
    git::line(repository, &["merge", "--abort"]).await.context("take back a merge with conflicts")?;
    Err(conflict(view, &conflicts))
}

async fn merge_without_working_tree(
    repository: &Path,
    view: &SessionView,
    reference: &str,
    before: &str,
    head: &str,
) -> Result<(), CommandError> {
    let ahead = git::output(repository, &["merge-base", "--is-ancestor", before, head]).await?;
    let commit = if ahead.status.success() {
        head.to_owned()
    } else {
        let tree =
            git::output(repository, &["merge-tree", "--write-tree", "--name-only", before, head]).await?;
        let text = String::from_utf8_lossy(&tree.stdout).into_owned();
        let mut lines = text.lines();
        let id = lines.next().unwrap_or_default().to_owned();
        if !tree.status.success() {
            let files: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
            return Err(conflict(view, &files.join(", ")));
        }
        let message = format!("Merge {}", view.branch);
        let (name, email) =
            (format!("user.name={}", view.person.name), format!("user.email={}", view.person.email));
        let commit =
            ["-c", &name, "-c", &email, "commit-tree", &id, "-p", before, "-p", head, "-m", &message];
        git::line(repository, &commit).await?
    };
    git::line(repository, &["update-ref", "-m", "lamplight: merge", reference, &commit, before]).await?;
    Ok(())
}

fn conflict(view: &SessionView, files: &str) -> CommandError {
    CommandError::invalid(
        "merge_conflict",
        format!("{} and {} both changed {files}", view.base, view.branch),
        format!(
            "prompt the agent to merge origin/{} into its branch and resolve the conflicts, then merge again",
            view.base
        ),
    )
}
