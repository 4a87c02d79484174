//! What a person looks at, and takes: the branch's diff, and its merge into their own repository.

use crate::error::CommandError;
use crate::session::Message;
use crate::{Engine, git};
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

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    pub path: String,
    pub old_path: Option<String>,
    pub status: FileStatus,
    pub insertions: u32,
    pub deletions: u32,
    pub binary: bool,
    /// Unified hunks, from the first `@@`.
    pub patch: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Added,
    #[default]
    Modified,
    Deleted,
    Renamed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    pub into: String,
    pub commit: String,
}

impl Engine {
    /// Merges the session's branch into the branch it started from, in the person's own repository.
    pub async fn merge(&self, id: &SessionId, by: String) -> Result<Merged, CommandError> {
        let merged = merge(&self.view(id).await?).await?;
        let report = Report::BranchMerged { into: merged.into.clone(), commit: merged.commit.clone(), by };
        self.shared.send(id, Message::Report(report)).await?;
        Ok(merged)
    }

    /// What the session's branch, or one turn, changed.
    pub async fn diff(&self, id: &SessionId, turn: Option<TurnNumber>) -> Result<Diff, CommandError> {
        diff(&self.view(id).await?, turn).await
    }
}

/// What the session's branch changed since it left its base, or what one turn's commit changed.
async fn diff(view: &SessionView, turn: Option<TurnNumber>) -> Result<Diff, CommandError> {
    let repository = Path::new(&view.repository);
    let Some(last) = view.commits.last() else {
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
            (git::line(repository, &["merge-base", &base, &last.commit.id]).await?, last.commit.id.clone())
        }
    };
    let base = git::line(repository, &["rev-parse", &base]).await?;
    let arguments = ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", &base, &head];
    let (patch, truncated) = git::bounded(repository, &arguments, DIFF_BYTES).await?;
    Ok(Diff { base, head, files: parse(&String::from_utf8_lossy(&patch)), truncated })
}

/// Reads git's own patch format.
fn parse(patch: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut in_hunks = false;
    for line in patch.split_inclusive('\n') {
        let text = line.trim_end_matches('\n');
        if let Some(names) = text.strip_prefix("diff --git ") {
            in_hunks = false;
            files.push(FileDiff { path: second_name(names), ..FileDiff::default() });
            continue;
        }
        let Some(file) = files.last_mut() else { continue };
        if in_hunks || text.starts_with("@@") {
            in_hunks = true;
            file.insertions += u32::from(text.starts_with('+'));
            file.deletions += u32::from(text.starts_with('-'));
            file.patch.push_str(line);
        } else {
            header(file, text);
        }
    }
    files
}

fn header(file: &mut FileDiff, text: &str) {
    let name =
        |name: &str, side: &str| name.strip_prefix(side).map(|name| name.trim_end_matches('\t').to_owned());
    if text.starts_with("new file mode") {
        file.status = FileStatus::Added;
    } else if text.starts_with("deleted file mode") {
        file.status = FileStatus::Deleted;
    } else if let Some(old) = text.strip_prefix("rename from ") {
        file.status = FileStatus::Renamed;
        file.old_path = Some(old.to_owned());
    } else if let Some(new) = text.strip_prefix("rename to ") {
        file.path = new.to_owned();
    } else if text.starts_with("Binary files ") {
        file.binary = true;
    } else if let Some(new) = text.strip_prefix("+++ ").and_then(|new| name(new, "b/")) {
        file.path = new;
    } else if let Some(old) = text.strip_prefix("--- ").and_then(|old| name(old, "a/")) {
        file.path = old;
    }
}

/// `a/x b/x`: both names are the same here, so the second is the second half.
fn second_name(names: &str) -> String {
    let half = names.len() / 2;
    names.get(half + 1..).and_then(|second| second.strip_prefix("b/")).unwrap_or(names).to_owned()
}

/// Merges the session's branch into its base. Where the base is checked out, in that working tree; else without one.
async fn merge(view: &SessionView) -> Result<Merged, CommandError> {
    let repository = Path::new(&view.repository);
    let Some(head) = view.commits.last().map(|commit| commit.commit.id.clone()) else {
        return Err(CommandError::invalid(
            "nothing_to_merge",
            "the branch has no commit of its own",
            "wait for a turn that changes something",
        ));
    };
    if view.merged.is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_read_file_by_file() {
        let patch = "diff --git a/a b.txt b/a b.txt\nindex 1..2 100644\n--- a/a b.txt\t\n+++ b/a b.txt\t\n@@ -1,2 +1,2 @@\n-one\n+--- two\n same\n\
                     diff --git a/old.rs b/new.rs\nsimilarity index 100%\nrename from old.rs\nrename to new.rs\n\
                     diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n\
                     diff --git a/pic.png b/pic.png\nnew file mode 100644\nBinary files /dev/null and b/pic.png differ\n";
        let files = parse(patch);
        let short: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.status, file.insertions, file.deletions, file.binary))
            .collect();
        assert_eq!(
            short,
            [
                ("a b.txt", FileStatus::Modified, 1, 1, false),
                ("new.rs", FileStatus::Renamed, 0, 0, false),
                ("gone", FileStatus::Deleted, 0, 1, false),
                ("pic.png", FileStatus::Added, 0, 0, true),
            ]
        );
        assert_eq!(files[1].old_path.as_deref(), Some("old.rs"));
        assert!(files[0].patch.starts_with("@@ -1,2"));
    }
}
