//! Pull requests: found, opened once, and told what is new.

use super::client::{GitHub, GitHubError};
use super::repository::Repository;
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// As GitHub tells it; what is not needed here is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    pub number: u64,
    /// For people.
    pub html_url: String,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub body: Option<String>,
}

/// What is to be reviewed.
#[derive(Debug, Clone, Serialize)]
pub struct NewPullRequest<'a> {
    pub title: &'a str,
    /// The branch with the work.
    pub head: &'a str,
    /// The branch that it is for.
    pub base: &'a str,
    pub body: &'a str,
    pub draft: bool,
}

impl GitHub {
    /// The open one of this branch.
    pub async fn pull_request(
        &self,
        repository: &Repository,
        head: &str,
    ) -> Result<Option<PullRequest>, GitHubError> {
        let head = format!("{}:{head}", repository.owner);
        let query = [("head", head.as_str()), ("state", "open"), ("per_page", "1")];
        let request = self.request(Method::GET, repository, "pulls").query(&query);
        let found: Vec<PullRequest> = self.repeatable(repository, request).await?;
        Ok(found.into_iter().next())
    }

    /// Opens one, as a draft where the repository has drafts. There is one of a branch at the most: where somebody opened it meanwhile, or an
    /// earlier request was done although nobody heard so, it is that one.
    pub async fn open_pull_request(
        &self,
        repository: &Repository,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, GitHubError> {
        let request = self.request(Method::POST, repository, "pulls").json(new);
        match self.once(repository, request).await {
            Err(GitHubError::Refused { message })
                if new.draft && message.to_lowercase().contains("draft pull requests are not supported") =>
            {
                let plain = NewPullRequest { draft: false, ..new.clone() };
                Box::pin(self.open_pull_request(repository, &plain)).await
            }
            Err(error @ (GitHubError::Refused { .. } | GitHubError::Unreachable { .. })) => {
                self.pull_request(repository, new.head).await?.ok_or(error)
            }
            opened => opened,
        }
    }

    /// Replaces its text.
    pub async fn describe_pull_request(
        &self,
        repository: &Repository,
        number: u64,
        body: &str,
    ) -> Result<PullRequest, GitHubError> {
        let request = self.request(Method::PATCH, repository, &format!("pulls/{number}"));
        self.repeatable(repository, request.json(&serde_json::json!({ "body": body }))).await
    }
}
