//! A pull request's branch brought up to date: with its base, and with what people have pushed to it where it is published.
//!
//! GitHub's own button would make a commit there that the session knows nothing of, so that its next one could not be pushed. So the merge is
//! made here, without a working tree; the session takes it up before its next turn, and it is published like any other commit.

use crate::effects::statistics;
use crate::error::CommandError;
use crate::pull_request::in_words;
use crate::{Engine, PullRequestNow, checks, clock, forge, git};
use anyhow::Context as _;
use lamplight_domain::event::Commit;
use lamplight_domain::session::{Command, SessionView};
use lamplight_domain::{SessionId, SessionSpec, ToCheck};
use lamplight_integrations::github::{PullRequest, Scope};
use lamplight_integrations::{GitHub, Repository};
use std::path::Path;

/// Of what git says of a fetch, in bytes.
const SAID_BYTES: usize = 2_000;

impl Engine {
    /// Doing it again does no harm.
    pub async fn update_branch(&self, id: &SessionId, by: String) -> Result<PullRequestNow, CommandError> {
        let view = self.view(id).await?;
        let (github, repository, shown) = self.shown(&view)?;
        let pull = github.pull_request(&repository, shown.number).await.map_err(in_words)?;
        if pull.state != "open" {
            return Err(crate::pull_request_now::closed(shown.number));
        }
        if !pull.is_of(&repository) {
            return Err(CommandError::invalid(
                "pull_request_of_fork",
                format!("the branch of #{} is in a fork, which this server does not push to", shown.number),
                "Update it where it comes from.",
            ));
        }
        let ours = view
            .commits
            .last()
            .map(|last| last.commit.id.clone())
            .context("a published session has a commit")?;
        let there = self.fetched(&view, github, &repository, &pull).await?;
        if let Some(commit) =
            merged(self.shared.config.signing_key.as_deref(), &view, &pull, &ours, &there).await?
        {
            let at = Path::new(&view.repository);
            let numbers = git::line(at, &["diff-tree", "--shortstat", &ours, &commit]).await?;
            let to_check = self.to_check(id, &commit).await?;
            let command = Command::UpdateBranch {
                head: ours,
                commit: Commit { id: commit.clone(), ..statistics(&numbers) },
                to_check,
                by: by.clone(),
            };
            self.command(id, command).await?;
            show(&view, &commit).await?;
        }
        self.publish(id, by).await?;
        self.pull_request_now(id).await
    }

    async fn to_check(&self, id: &SessionId, commit: &str) -> Result<ToCheck, CommandError> {
        let session = crate::session::load(&self.shared, id).await?;
        let spec: &SessionSpec = session.spec();
        Ok(checks::find(spec, commit).await)
    }

    /// The branch and its base as they are on GitHub.
    async fn fetched(
        &self,
        view: &SessionView,
        github: &GitHub,
        repository: &Repository,
        pull: &PullRequest,
    ) -> Result<There, CommandError> {
        let at = Path::new(&view.repository);
        if forge::is_mirror(&self.shared.config.data_dir, &view.repository) {
            forge::bring(&self.shared, github, repository, &pull.base.branch).await?;
        }
        let token = github.token(repository, Scope::Fetch).await.map_err(in_words)?;
        let (address, ours) = (github.git_address(repository), format!("refs/lamplight/update/{}", view.id));
        let (head, base) = (format!("{ours}/head"), format!("{ours}/base"));
        let place = git::Place { address: &github.config().git, token: &token };
        let what = [
            format!("+refs/heads/{}:{head}", pull.head.branch),
            format!("+refs/heads/{}:{base}", pull.base.branch),
        ];
        let arguments =
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &address, &what[0], &what[1]];
        let output = git::elsewhere(at, &place, &arguments).await?;
        if !output.status.success() {
            let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            said.truncate(said.floor_char_boundary(SAID_BYTES));
            return Err(CommandError::invalid(
                "fetch_failed",
                format!("{repository} could not be fetched: {said}"),
                "See that the branches are there and that the token may read the repository.",
            ));
        }
        let there = There {
            head: git::line(at, &["rev-parse", &head]).await?,
            base: git::line(at, &["rev-parse", &base]).await?,
        };
        for reference in [head, base] {
            git::line(at, &["update-ref", "-d", &reference]).await?;
        }
        Ok(there)
    }
}

/// Commits on GitHub.
struct There {
    head: String,
    base: String,
}

/// The commit that the branch should end at; `None` where that is so already.
async fn merged(
    key: Option<&Path>,
    view: &SessionView,
    pull: &PullRequest,
    ours: &str,
    there: &There,
) -> Result<Option<String>, CommandError> {
    let at = Path::new(&view.repository);
    let start = match (is_within(at, ours, &there.head).await?, is_within(at, &there.head, ours).await?) {
        (true, _) => &there.head,
        (false, true) => ours,
        (false, false) => {
            return Err(CommandError::invalid(
                "branch_diverged",
                format!("{} has commits on GitHub that the session's do not go on from", view.branch),
                "Look at what is there; prompt the session to fetch and merge it, or remove it there.",
            ));
        }
    };
    if is_within(at, &there.base, start).await? {
        return Ok((start != ours).then(|| start.to_owned()));
    }
    let tree = ["merge-tree", "--write-tree", "--name-only", start, &there.base];
    let tree = git::output(at, &tree).await?;
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut lines = text.lines();
    let id = lines.next().unwrap_or_default();
    if !tree.status.success() {
        let files: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        let (base, branch) = (&pull.base.branch, &view.branch);
        return Err(CommandError::invalid(
            "merge_conflict",
            format!("{base} and {branch} both changed {}", files.join(", ")),
            format!("Prompt the agent to merge origin/{base} into its branch and to resolve the conflicts."),
        ));
    }
    let message =
        format!("Merge {} into {}\n\nLamplight-Session: {}", pull.base.branch, view.branch, view.id);
    let date = format!("@{} +0000", clock::now().0.div_euclid(1000));
    let parents: &[&str] = &[start, &there.base];
    let new = git::NewCommit { tree: id, parents, message: &message, person: &view.person, date: &date, key };
    Ok(Some(git::commit_tree(at, &new).await?))
}

/// The session's branch here ends there as well, so that its sandbox finds it. Whoever pushes the next commit replaces what is not in it.
async fn show(view: &SessionView, commit: &str) -> Result<(), CommandError> {
    let reference = format!("refs/heads/{}", view.branch);
    let arguments = ["update-ref", "-m", "lamplight: update", &reference, commit];
    git::line(Path::new(&view.repository), &arguments).await?;
    Ok(())
}

async fn is_within(at: &Path, earlier: &str, later: &str) -> Result<bool, CommandError> {
    Ok(git::output(at, &["merge-base", "--is-ancestor", earlier, later]).await?.status.success())
}
