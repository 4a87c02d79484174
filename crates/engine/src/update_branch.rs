//! A pull request's branch brought up to date: with its base, and with what people have pushed to it where it is published.
//!
//! GitHub's own button would make a commit there that the session knows nothing of, so that its next one could not be pushed. So the merge is
//! made here, without a working tree; the session takes it up before its next turn, and it is published like any other commit.

use crate::effects::statistics;
use crate::error::CommandError;
use crate::pull_request::in_words;
use crate::{Engine, PullRequestNow, checks, clock, forge, git, ids};
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
        if forge::is_mirror(&self.shared.config.data_dir, &view.repository) {
            forge::bring(&self.shared, github, &repository, &pull.base.branch).await?;
        }
        let (head, base) = (pull.head.branch.as_str(), pull.base.branch.as_str());
        let [head, base] = self.fetched(&view, github, &repository, [head, base]).await?;
        let there = There { head, base };
        if let Some(commit) =
            merged(self.shared.config.signing_key.as_deref(), &view, &pull, &ours, &there).await?
        {
            self.move_branch(&view, ours, commit, by.clone()).await?;
        }
        self.publish(id, by).await?;
        self.pull_request_now(id).await
    }

    /// The session with what others have pushed meanwhile to the pull request that it works on, and that somebody else opened. Its newest commit
    /// goes on from there, so that nothing is replaced.
    pub(crate) async fn with_what_is_there(
        &self,
        view: SessionView,
        github: &GitHub,
        repository: &Repository,
        number: u64,
        by: String,
    ) -> Result<SessionView, CommandError> {
        let pull = github.pull_request(repository, number).await.map_err(in_words)?;
        if pull.state != "open" {
            let why = format!("pull request #{number} is closed");
            return Err(CommandError::invalid("pull_request_closed", why, "Reopen it, or ask on an issue."));
        }
        let Some(ours) = view.commits.last().map(|last| last.commit.id.clone()) else { return Ok(view) };
        let known = match &view.pull_request {
            Some(shown) => Some(shown.head.clone()),
            None => crate::session::load(&self.shared, &view.id).await?.base_commit().map(str::to_owned),
        };
        let known = known.context("a session with a commit has begun somewhere")?;
        let [theirs] = self.fetched(&view, github, repository, [pull.head.branch.as_str()]).await?;
        // Who went back to an earlier checkpoint is not brought forward again before there is something new.
        if theirs == known
            && ours != theirs
            && git::is_within(Path::new(&view.repository), &ours, &theirs).await?
        {
            return Err(CommandError::invalid(
                "branch_diverged",
                format!(
                    "the session went back behind what is on {} on GitHub, and nothing there is taken away",
                    view.branch
                ),
                "Prompt it to go on: what is there is merged with its next commit.",
            ));
        }
        let key = self.shared.config.signing_key.as_deref();
        let joined = joined(key, &view, &ours, &theirs, &known).await?;
        if joined == ours {
            return Ok(view);
        }
        self.move_branch(&view, ours, joined, by).await?;
        self.view(&view.id).await
    }

    /// The session's branch ends there from now on, which goes on from where it ended.
    async fn move_branch(
        &self,
        view: &SessionView,
        head: String,
        commit: String,
        by: String,
    ) -> Result<(), CommandError> {
        let at = Path::new(&view.repository);
        let numbers = git::line(at, &["diff-tree", "--shortstat", &head, &commit]).await?;
        let to_check = self.to_check(&view.id, &commit).await?;
        let new = Commit { id: commit.clone(), ..statistics(&numbers) };
        self.command(&view.id, Command::UpdateBranch { head, commit: new, to_check, by }).await?;
        show(view, &commit).await
    }

    async fn to_check(&self, id: &SessionId, commit: &str) -> Result<ToCheck, CommandError> {
        let session = crate::session::load(&self.shared, id).await?;
        let spec: &SessionSpec = session.spec();
        Ok(checks::find(spec, commit).await)
    }

    /// These branches as they are on GitHub.
    async fn fetched<const N: usize>(
        &self,
        view: &SessionView,
        github: &GitHub,
        repository: &Repository,
        branches: [&str; N],
    ) -> Result<[String; N], CommandError> {
        let at = Path::new(&view.repository);
        let token = github.token(repository, Scope::Fetch).await.map_err(in_words)?;
        let address = github.git_address(repository);
        let place = git::Place { address: &github.config().git, token: &token };
        // Others may fetch for the same session at the same time.
        let id = ids::reference_id();
        let ours: [String; N] = std::array::from_fn(|n| format!("refs/lamplight/update/{id}/{n}"));
        let what: Vec<String> =
            branches.iter().zip(&ours).map(|(branch, ours)| format!("+refs/heads/{branch}:{ours}")).collect();
        let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &address];
        let arguments: Vec<&str> = arguments.into_iter().chain(what.iter().map(String::as_str)).collect();
        let output = git::elsewhere(at, &place, &arguments).await?;
        if !output.status.success() {
            for reference in &ours {
                // It may be there all the same.
                let _ = git::line(at, &["update-ref", "-d", reference]).await;
            }
            let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            said.truncate(said.floor_char_boundary(SAID_BYTES));
            return Err(CommandError::invalid(
                "fetch_failed",
                format!("{repository} could not be fetched: {said}"),
                "See that the branches are there and that the token may read the repository.",
            ));
        }
        let mut commits = [const { String::new() }; N];
        for (commit, reference) in commits.iter_mut().zip(&ours) {
            *commit = git::line(at, &["rev-parse", reference]).await?;
            git::line(at, &["update-ref", "-d", reference]).await?;
        }
        Ok(commits)
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
    let start =
        match (git::is_within(at, ours, &there.head).await?, git::is_within(at, &there.head, ours).await?) {
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
    if git::is_within(at, &there.base, start).await? {
        return Ok((start != ours).then(|| start.to_owned()));
    }
    let base = &pull.base.branch;
    let what_to_do =
        format!("Prompt the agent to merge origin/{base} into its branch and to resolve the conflicts.");
    let other = Other { name: base, commit: &there.base, what_to_do };
    merge(key, view, start, other).await.map(Some)
}

/// The commit that has both: one of them, or a merge of them. What was on GitHub when the session last saw it has to be there still.
async fn joined(
    key: Option<&Path>,
    view: &SessionView,
    ours: &str,
    theirs: &str,
    known: &str,
) -> Result<String, CommandError> {
    let (at, branch) = (Path::new(&view.repository), &view.branch);
    if !git::is_within(at, known, theirs).await? {
        return Err(CommandError::invalid(
            "branch_diverged",
            format!(
                "{branch} was rewritten on GitHub since the session last saw it, and nothing there was replaced"
            ),
            "Look at what is there. To go on from that, end the session and ask again.",
        ));
    }
    if git::is_within(at, ours, theirs).await? {
        return Ok(theirs.to_owned());
    }
    if git::is_within(at, theirs, ours).await? {
        return Ok(ours.to_owned());
    }
    let what_to_do =
        "Take one side back there, or end the session and ask again, to go on from what is there.";
    let name = &format!("{branch} on GitHub");
    merge(key, view, ours, Other { name, commit: theirs, what_to_do: what_to_do.to_owned() }).await
}

/// What is merged into the session's branch.
struct Other<'a> {
    name: &'a str,
    commit: &'a str,
    /// Where both sides changed the same.
    what_to_do: String,
}

async fn merge(
    key: Option<&Path>,
    view: &SessionView,
    ours: &str,
    other: Other<'_>,
) -> Result<String, CommandError> {
    let (at, branch) = (Path::new(&view.repository), &view.branch);
    let Other { name, commit, what_to_do } = other;
    let tree = git::output(at, &["merge-tree", "--write-tree", "--name-only", ours, commit]).await?;
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut lines = text.lines();
    let tree_id = lines.next().unwrap_or_default();
    if !tree.status.success() {
        let files: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        let why = format!("{name} and {branch} both changed {}", files.join(", "));
        return Err(CommandError::invalid("merge_conflict", why, what_to_do));
    }
    let message = format!("Merge {name} into {branch}\n\nLamplight-Session: {}", view.id);
    let date = format!("@{} +0000", clock::now().0.div_euclid(1000));
    let (parents, person) = (&[ours, commit], &view.person);
    let new = git::NewCommit { tree: tree_id, parents, message: &message, person, date: &date, key };
    Ok(git::commit_tree(at, &new).await?)
}

/// The session's branch here ends there as well, so that its sandbox finds it. Whoever pushes the next commit replaces what is not in it.
async fn show(view: &SessionView, commit: &str) -> Result<(), CommandError> {
    let reference = format!("refs/heads/{}", view.branch);
    let arguments = ["update-ref", "-m", "lamplight: update", &reference, commit];
    git::line(Path::new(&view.repository), &arguments).await?;
    Ok(())
}
