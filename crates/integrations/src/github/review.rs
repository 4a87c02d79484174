//! What is said of a pull request's changes: reviews, comments at lines, and what programs found.

use super::client::GitHub;
use super::error::GitHubError;
use super::{Repository, User};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// On one page, and pages that are read.
const PAGE: usize = 100;
const PAGES: usize = 10;

/// As GitHub tells it; what is not needed here is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Review {
    pub id: u64,
    pub user: Option<User>,
    #[serde(default)]
    pub body: Option<String>,
    /// `COMMENTED`, `CHANGES_REQUESTED`, `APPROVED`, `DISMISSED`, `PENDING`.
    #[serde(default)]
    pub state: String,
    /// Missing while it is not.
    #[serde(default)]
    pub submitted_at: Option<jiff::Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReviewComment {
    pub id: u64,
    pub user: Option<User>,
    #[serde(default)]
    pub body: Option<String>,
    pub path: String,
    /// Missing where the line is no longer there.
    #[serde(default)]
    pub line: Option<u64>,
    /// The first of its thread, where it is not that itself.
    #[serde(default)]
    pub in_reply_to_id: Option<u64>,
    /// The review that it came with.
    #[serde(default, rename = "pull_request_review_id")]
    pub review: Option<u64>,
    /// The changes around the line.
    #[serde(default)]
    pub diff_hunk: String,
    #[serde(default)]
    pub created_at: Option<jiff::Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRun {
    pub name: String,
    /// `completed`, or not yet.
    pub status: String,
    #[serde(default)]
    pub conclusion: Option<String>,
    #[serde(default)]
    pub output: Option<CheckOutput>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckOutput {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub summary: Option<String>,
}

impl Review {
    /// When it was submitted, in milliseconds since 1970.
    pub fn at_ms(&self) -> Option<i64> {
        self.submitted_at.map(jiff::Timestamp::as_millisecond)
    }
}

impl ReviewComment {
    /// In milliseconds since 1970.
    pub fn at_ms(&self) -> Option<i64> {
        self.created_at.map(jiff::Timestamp::as_millisecond)
    }

    /// Under which its thread is answered.
    pub fn thread(&self) -> u64 {
        self.in_reply_to_id.unwrap_or(self.id)
    }
}

impl CheckRun {
    pub fn is_done(&self) -> bool {
        self.status == "completed"
    }

    pub fn has_failed(&self) -> bool {
        has_failed(self.conclusion.as_deref())
    }
}

pub(super) fn has_failed(conclusion: Option<&str>) -> bool {
    matches!(conclusion, Some("failure" | "timed_out" | "action_required"))
}

impl GitHub {
    /// Oldest first.
    pub async fn reviews(&self, repository: &Repository, number: u64) -> Result<Vec<Review>, GitHubError> {
        self.all(repository, &format!("pulls/{number}/reviews")).await
    }

    /// Oldest first.
    pub async fn review_comments(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Vec<ReviewComment>, GitHubError> {
        self.all(repository, &format!("pulls/{number}/comments")).await
    }

    /// Answers in the thread that this comment is the first of; `mark` is in the text, and in no other answer.
    pub async fn reply_once(
        &self,
        repository: &Repository,
        number: u64,
        thread: u64,
        mark: &str,
        text: &str,
    ) -> Result<(), GitHubError> {
        let is_there = async || {
            let all = self.review_comments(repository, number).await?;
            Ok::<_, GitHubError>(
                all.iter().any(|one| one.body.as_ref().is_some_and(|body| body.contains(mark))),
            )
        };
        if is_there().await? {
            return Ok(());
        }
        let path = format!("pulls/{number}/comments/{thread}/replies");
        let question = self.ask(Method::POST, repository, path).json(&json!({ "body": text }));
        match question.once::<ReviewComment>().await {
            Err(error @ GitHubError::Unreachable { .. }) => {
                if is_there().await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            done => done.map(drop),
        }
    }

    /// What programs say of a commit.
    pub async fn checks(&self, repository: &Repository, commit: &str) -> Result<Vec<CheckRun>, GitHubError> {
        #[derive(Deserialize)]
        struct Found {
            check_runs: Vec<CheckRun>,
        }
        let path = format!("commits/{commit}/check-runs");
        let question = self.ask(Method::GET, repository, path).with(super::Scope::Check);
        Ok(question.query("per_page", PAGE.to_string()).repeatable::<Found>().await?.check_runs)
    }

    async fn all<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        path: &str,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let question = self.ask(Method::GET, repository, path).query("per_page", PAGE.to_string());
            let found: Vec<T> = question.query("page", page.to_string()).repeatable().await?;
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}
