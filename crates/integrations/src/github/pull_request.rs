//! Pull requests: found, opened once, and told what is new.

use super::app::Scope;
use super::client::GitHub;
use super::error::GitHubError;
use super::repository::Repository;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    pub head: Head,
    pub base: Base,
    /// As GraphQL names it.
    #[serde(default)]
    pub node_id: String,
    #[serde(default)]
    pub merged: bool,
    /// `open` or `closed`.
    #[serde(default)]
    pub state: String,
    /// Missing while GitHub finds out.
    #[serde(default)]
    pub mergeable: Option<bool>,
}

/// The branch that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Base {
    #[serde(rename = "ref")]
    pub branch: String,
}

/// The branch with the work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Head {
    #[serde(rename = "ref")]
    pub branch: String,
    #[serde(default)]
    pub sha: String,
    /// Missing where it was removed.
    #[serde(default)]
    pub repo: Option<HeadRepository>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeadRepository {
    pub full_name: String,
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

impl PullRequest {
    /// Whether its branch is in this repository, and not in a fork of it.
    pub fn is_of(&self, repository: &Repository) -> bool {
        let name = self.head.repo.as_ref().map(|repo| repo.full_name.as_str());
        name.is_some_and(|name| name.eq_ignore_ascii_case(&repository.to_string()))
    }
}

impl GitHub {
    pub async fn pull_request(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<PullRequest, GitHubError> {
        self.ask(Method::GET, repository, format!("pulls/{number}")).repeatable().await
    }

    /// The open one of this branch.
    pub async fn pull_request_of(
        &self,
        repository: &Repository,
        head: &str,
    ) -> Result<Option<PullRequest>, GitHubError> {
        let question = self.ask(Method::GET, repository, "pulls").query("state", "open");
        let question = question.query("head", format!("{}:{head}", repository.owner));
        let found: Vec<PullRequest> = question.repeatable().await?;
        // A filter that GitHub does not understand is none.
        Ok(found.into_iter().find(|pull| pull.head.branch == head))
    }

    /// Opens one, as a draft where the repository has drafts. There is one of a branch at the most: where somebody opened it meanwhile, or an
    /// earlier request was done although nobody heard so, it is that one.
    pub async fn open_pull_request(
        &self,
        repository: &Repository,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, GitHubError> {
        match self.ask(Method::POST, repository, "pulls").json(new).once().await {
            Err(GitHubError::Refused { message })
                if new.draft && message.to_lowercase().contains("draft pull requests are not supported") =>
            {
                let plain = NewPullRequest { draft: false, ..new.clone() };
                Box::pin(self.open_pull_request(repository, &plain)).await
            }
            Err(error @ (GitHubError::Refused { .. } | GitHubError::Unreachable { .. })) => {
                self.pull_request_of(repository, new.head).await?.ok_or(error)
            }
            opened => opened,
        }
    }

    /// Whether more is asked of who pushes to this branch than that they may push to the repository: by a protection of its own or by a ruleset,
    /// both of which are told here. Sources: docs.github.com, "Get a branch"; hub4j/github-api issue 2062.
    pub async fn is_protected(&self, repository: &Repository, branch: &str) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Branch {
            protected: bool,
        }
        let path = format!("branches/{}", in_path(branch));
        let Branch { protected } =
            self.ask(Method::GET, repository, path).with(Scope::Fetch).repeatable().await?;
        Ok(protected)
    }

    /// Replaces its text.
    pub async fn describe_pull_request(
        &self,
        repository: &Repository,
        number: u64,
        body: &str,
    ) -> Result<PullRequest, GitHubError> {
        let question = self.ask(Method::PATCH, repository, format!("pulls/{number}"));
        question.json(&json!({ "body": body })).repeatable().await
    }

    /// No longer a draft. REST takes `draft` and changes nothing; source: docs.github.com, GraphQL, `markPullRequestReadyForReview`.
    pub async fn mark_ready(&self, repository: &Repository, pull: &PullRequest) -> Result<(), GitHubError> {
        let query = "mutation($id: ID!) { markPullRequestReadyForReview(input: { pullRequestId: $id }) { pullRequest { isDraft } } }";
        self.graphql(repository, Scope::Ready, query, json!({ "id": pull.node_id })).await
    }

    pub async fn close_pull_request(&self, repository: &Repository, number: u64) -> Result<(), GitHubError> {
        let question = self.ask(Method::PATCH, repository, format!("pulls/{number}"));
        question.json(&json!({ "state": "closed" })).repeatable::<PullRequest>().await.map(drop)
    }
}

/// One part of an address's path, whatever stands in it.
fn in_path(text: &str) -> String {
    let mut url = Url::parse("http://localhost").expect("it is an address");
    url.path_segments_mut().expect("it has a path").push(text);
    url.path().trim_start_matches('/').to_owned()
}
