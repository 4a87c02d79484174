//! How a session's pull request stands on GitHub now, and what a person does with it from here.

use crate::Engine;
use crate::error::CommandError;
use crate::pull_request::in_words;
use crate::session::Message;
use lamplight_domain::session::{Report, SessionView};
use lamplight_domain::{CheckState, PullRequest, SessionId};
use lamplight_integrations::github::{CheckRun, Review};
use lamplight_integrations::{GitHub, Repository, github};
use std::collections::BTreeMap;

/// As GitHub tells it at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestNow {
    pub number: u64,
    pub url: String,
    pub state: PullRequestState,
    /// Whether it can be merged into its base; `None` while GitHub finds out.
    pub mergeable: Option<bool>,
    /// It shows the session's newest commit.
    pub is_current: bool,
    pub checks: Checks,
    /// People whose last review approves, or wants changes.
    pub approved_by: Vec<String>,
    pub changes_wanted_by: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestState {
    Draft,
    Open,
    Closed,
    Merged,
}

/// What programs say of its newest commit; `None` where they cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    pub is_known: bool,
    pub passed: usize,
    pub running: usize,
    /// By name.
    pub failed: Vec<String>,
}

/// What a person does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestChange {
    /// It is no draft any more.
    Ready,
    Close,
}

impl Engine {
    pub async fn pull_request_now(&self, id: &SessionId) -> Result<PullRequestNow, CommandError> {
        let view = self.view(id).await?;
        let (github, repository, shown) = self.shown(&view)?;
        let pull = github.pull_request(&repository, shown.number).await.map_err(in_words)?;
        let reviews = github.reviews(&repository, shown.number).await.map_err(in_words)?;
        let checks = match github.checks(&repository, &pull.head.sha).await {
            Ok(runs) => Checks::of(&runs),
            Err(error) if !error.passes() => Checks::default(),
            Err(error) => return Err(in_words(error)),
        };
        let (approved_by, changes_wanted_by) = verdicts(&reviews);
        let is_current = view.commits.last().is_some_and(|last| last.commit.id == pull.head.sha);
        let (number, url, mergeable) = (pull.number, pull.html_url.clone(), pull.mergeable);
        let state = state(&pull);
        Ok(PullRequestNow {
            number,
            url,
            state,
            mergeable,
            is_current,
            checks,
            approved_by,
            changes_wanted_by,
        })
    }

    /// Doing it again does no harm.
    pub async fn change_pull_request(
        &self,
        id: &SessionId,
        change: PullRequestChange,
        by: String,
    ) -> Result<PullRequestNow, CommandError> {
        let view = self.view(id).await?;
        let (github, repository, shown) = self.shown(&view)?;
        let pull = github.pull_request(&repository, shown.number).await.map_err(in_words)?;
        if change == PullRequestChange::Ready {
            refuse_while_checked(&view)?;
        }
        match (change, state(&pull)) {
            (PullRequestChange::Ready, PullRequestState::Draft) => {
                github.mark_ready(&repository, &pull).await.map_err(in_words)?;
                let pull_request = PullRequest { draft: false, ..shown.clone() };
                let report = Report::PullRequestPublished { pull_request, by };
                self.shared.send(id, Message::Report(report)).await?;
            }
            (PullRequestChange::Close, PullRequestState::Draft | PullRequestState::Open) => {
                github.close_pull_request(&repository, shown.number).await.map_err(in_words)?;
            }
            (PullRequestChange::Ready, PullRequestState::Open)
            | (PullRequestChange::Close, PullRequestState::Closed) => {}
            (_, PullRequestState::Closed | PullRequestState::Merged) => {
                return Err(closed(shown.number));
            }
        }
        self.pull_request_now(id).await
    }

    pub(crate) fn shown<'a>(
        &'a self,
        view: &'a SessionView,
    ) -> Result<(&'a GitHub, Repository, &'a PullRequest), CommandError> {
        let shown = view.pull_request.as_ref().ok_or_else(|| {
            CommandError::invalid("no_pull_request", "the session has no pull request", "publish it first")
        })?;
        let github = self.shared.github.as_ref();
        let known = github.and_then(|github| Some((github, github.repository(&shown.repository)?)));
        let (github, repository) = known.ok_or_else(crate::pull_request::no_token)?;
        Ok((github, repository, shown))
    }
}

pub(crate) fn closed(number: u64) -> CommandError {
    CommandError::invalid(
        "pull_request_closed",
        format!("pull request #{number} is closed"),
        "publish the branch again to open another",
    )
}

/// What is said to be ready has been checked, or somebody has decided that it need not be.
fn refuse_while_checked(view: &SessionView) -> Result<(), CommandError> {
    match view.checked.as_ref().map(|checked| &checked.state) {
        Some(CheckState::Running { .. }) => Err(CommandError::invalid(
            "checks_running",
            "the repository's own checks run on its newest commit",
            "Wait for what they say, or stop them (lamplight stop).",
        )),
        Some(CheckState::Ended { .. } | CheckState::Nothing { .. }) | None => Ok(()),
    }
}

fn state(pull: &github::PullRequest) -> PullRequestState {
    match (pull.state.as_str(), pull.merged, pull.draft) {
        (_, true, _) => PullRequestState::Merged,
        ("closed", false, _) => PullRequestState::Closed,
        (_, false, true) => PullRequestState::Draft,
        (_, false, false) => PullRequestState::Open,
    }
}

/// The last word of each counts; a comment takes nothing back.
fn verdicts(reviews: &[Review]) -> (Vec<String>, Vec<String>) {
    let mut last = BTreeMap::new();
    for review in reviews {
        let Some(user) = &review.user else { continue };
        match review.state.as_str() {
            "APPROVED" | "CHANGES_REQUESTED" => {
                last.insert(user.login.clone(), review.state == "APPROVED");
            }
            "DISMISSED" => {
                last.remove(&user.login);
            }
            _ => {}
        }
    }
    let of = |wanted: bool| {
        last.iter().filter(|(_, approves)| **approves == wanted).map(|(login, _)| login.clone()).collect()
    };
    (of(true), of(false))
}

impl Checks {
    fn of(runs: &[CheckRun]) -> Self {
        Self {
            is_known: true,
            running: runs.iter().filter(|run| !run.is_done()).count(),
            passed: runs.iter().filter(|run| run.is_done() && !run.has_failed()).count(),
            failed: runs.iter().filter(|run| run.has_failed()).map(|run| run.name.clone()).collect(),
        }
    }
}
