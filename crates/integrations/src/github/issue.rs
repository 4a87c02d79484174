//! Issues, and pull requests as far as they are issues: what is said there, and by whom.

use super::Repository;
use super::client::GitHub;
use super::error::GitHubError;
use crate::section;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// Comments on one page.
const PAGE: usize = 100;
/// Pages that are read of one issue at the most.
const PAGES: usize = 10;

/// As GitHub tells it; what is not needed here is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    pub user: Option<User>,
    /// There where it is a pull request.
    #[serde(default)]
    pub pull_request: Option<Value>,
}

/// What somebody may do with a repository and its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Nothing,
    See,
    /// Push to it, which is what a session does.
    Use,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    pub login: String,
    pub id: u64,
    /// `User`, `Bot`, `Organization`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    pub id: u64,
    #[serde(default)]
    pub body: Option<String>,
    pub user: Option<User>,
}

/// A repository, as far as it matters to whoever works on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositoryFacts {
    pub default_branch: String,
    #[serde(default)]
    pub archived: bool,
}

/// Where a reaction is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Issue(u64),
    Comment(u64),
    /// At a line of a pull request's changes.
    Remark(u64),
}

impl GitHub {
    pub async fn facts(&self, repository: &Repository) -> Result<RepositoryFacts, GitHubError> {
        self.ask(Method::GET, repository, "").repeatable().await
    }

    pub async fn issue(&self, repository: &Repository, number: u64) -> Result<Issue, GitHubError> {
        self.ask(Method::GET, repository, format!("issues/{number}")).repeatable().await
    }

    /// The newest thousand at the most, the oldest first.
    pub async fn comments(&self, repository: &Repository, number: u64) -> Result<Vec<Comment>, GitHubError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("issues/{number}/comments");
            let question = self.ask(Method::GET, repository, path).query("per_page", PAGE.to_string());
            let found: Vec<Comment> = question.query("page", page.to_string()).repeatable().await?;
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// What this person may do with the repository. `id` is their number: a login may have been taken by somebody else.
    pub async fn right_of(
        &self,
        repository: &Repository,
        login: &str,
        id: &str,
    ) -> Result<Right, GitHubError> {
        #[derive(Deserialize)]
        struct Told {
            #[serde(default)]
            permission: String,
            user: Option<User>,
        }
        let path = format!("collaborators/{login}/permission");
        match self.ask(Method::GET, repository, path).repeatable::<Told>().await {
            Ok(told) if told.user.as_ref().is_none_or(|user| user.id.to_string() != id) => Ok(Right::Nothing),
            Ok(told) => Ok(match told.permission.as_str() {
                "admin" | "write" => Right::Use,
                "read" => Right::See,
                _ => Right::Nothing,
            }),
            Err(GitHubError::NotFound { .. }) => Ok(Right::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Whether this person may push to the repository.
    pub async fn may_write(&self, repository: &Repository, login: &str) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Permission {
            #[serde(default)]
            permission: String,
        }
        let path = format!("collaborators/{login}/permission");
        match self.ask(Method::GET, repository, path).repeatable::<Permission>().await {
            // `maintain` is told as `write`, `triage` as `read`.
            Ok(found) => Ok(matches!(found.permission.as_str(), "admin" | "write")),
            Err(GitHubError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts it there once, however often it is asked.
    pub async fn react(
        &self,
        repository: &Repository,
        place: Place,
        content: &str,
    ) -> Result<(), GitHubError> {
        let path = match place {
            Place::Issue(number) => format!("issues/{number}/reactions"),
            Place::Comment(id) => format!("issues/comments/{id}/reactions"),
            Place::Remark(id) => format!("pulls/comments/{id}/reactions"),
        };
        let question = self.ask(Method::POST, repository, path).json(&json!({ "content": content }));
        question.repeatable::<Value>().await.map(drop)
    }

    /// The comment that has `mark` in it: what is there, else a new one. `is_new` is whether nobody can have written it before.
    pub async fn comment_once(
        &self,
        repository: &Repository,
        number: u64,
        mark: &str,
        text: &str,
        is_new: bool,
    ) -> Result<u64, GitHubError> {
        let find = async || {
            let comments = self.comments(repository, number).await?;
            let is_it = |comment: &&Comment| comment.body.as_ref().is_some_and(|body| body.contains(mark));
            Ok::<_, GitHubError>(comments.iter().find(is_it).map(|comment| comment.id))
        };
        if !is_new && let Some(id) = find().await? {
            return Ok(id);
        }
        let path = format!("issues/{number}/comments");
        let question = self.ask(Method::POST, repository, path).json(&json!({ "body": text }));
        match question.once::<Comment>().await {
            Ok(comment) => Ok(comment.id),
            Err(error @ GitHubError::Unreachable { .. }) => find().await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Puts this in the place of what we wrote there before. What others wrote into it stays.
    pub async fn edit_comment(
        &self,
        repository: &Repository,
        id: u64,
        ours: &str,
    ) -> Result<(), GitHubError> {
        let path = format!("issues/comments/{id}");
        let found: Comment = self.ask(Method::GET, repository, path.as_str()).repeatable().await?;
        let before = found.body.unwrap_or_default();
        let text = section::replace(&before, ours);
        if text == before {
            return Ok(());
        }
        let question = self.ask(Method::PATCH, repository, path).json(&json!({ "body": text }));
        question.repeatable::<Value>().await.map(drop)
    }
}
