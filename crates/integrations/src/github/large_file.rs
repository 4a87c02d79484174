//! Large files of a repository, as Git LFS keeps them beside it.
//!
//! Source: github.com/git-lfs/git-lfs, `docs/api/batch.md`, `docs/api/basic-transfers.md`.

use super::Repository;
use super::app::Scope;
use super::client::GitHub;
use super::error::GitHubError;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

const JSON: &str = "application/vnd.git-lfs+json";
/// For all of one file.
const WAIT: Duration = Duration::from_secs(60 * 60);

/// One that is being read.
#[derive(Debug)]
pub struct LargeFile {
    response: Response,
    host: String,
}

#[derive(Deserialize)]
struct Batch {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    actions: Actions,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Deserialize, Default)]
struct Actions {
    #[serde(default)]
    download: Option<Action>,
    #[serde(default)]
    upload: Option<Action>,
    /// Has to be told when it was uploaded.
    #[serde(default)]
    verify: Option<Action>,
}

/// A request that is to be sent; its address lets in whoever has it.
#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Problem {
    code: u16,
    message: String,
}

impl GitHub {
    /// The file whose content has this SHA-256 (64 hexadecimal digits), of this size.
    pub async fn large_file(
        &self,
        repository: &Repository,
        id: &str,
        bytes: u64,
    ) -> Result<LargeFile, GitHubError> {
        let host = self.config().host.clone();
        let download = self.find(repository, id, bytes).await?;
        let request = self.to_storage(Method::GET, &download)?;
        let response = request.timeout(WAIT).send().await.map_err(|error| self.unreachable(error))?;
        match response.status() {
            status if status.is_success() => Ok(LargeFile { response, host }),
            StatusCode::NOT_FOUND => {
                Err(GitHubError::NotFound { host, repository: format!("large file {id}") })
            }
            status => {
                Err(GitHubError::Unreachable { host, why: format!("a large file was answered {status}") })
            }
        }
    }

    /// Brings it there, unless it is there already: then gives `false`. Done again it does no harm.
    pub async fn send_large_file(
        &self,
        repository: &Repository,
        id: &str,
        bytes: u64,
        content: impl Into<Body>,
    ) -> Result<bool, GitHubError> {
        let Actions { upload, verify, .. } =
            self.actions(repository, "upload", Scope::Push, (id, bytes)).await?;
        let Some(upload) = upload else { return Ok(false) };
        let request = self.to_storage(Method::PUT, &upload)?;
        let is_said = upload.header.keys().any(|name| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        let request =
            if is_said { request } else { request.header(CONTENT_TYPE, "application/octet-stream") };
        let request = request.header(CONTENT_LENGTH, bytes).body(content).timeout(WAIT);
        let what = format!("large file {id} in {repository}");
        self.answer(&what, request).await?;
        if let Some(verify) = verify {
            let told = json!({ "oid": id, "size": bytes });
            let request = self.to_storage(Method::POST, &verify)?;
            let request = request.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).body(told.to_string());
            self.answer(&what, request).await?;
        }
        Ok(true)
    }

    /// Our token is not for those who keep it.
    fn to_storage(&self, method: Method, action: &Action) -> Result<RequestBuilder, GitHubError> {
        let Action { href, header } = action;
        if !href.starts_with("https://") && !href.starts_with("http://") {
            let message = "a large file has no address that can be asked".to_owned();
            return Err(GitHubError::Refused { message });
        }
        let request = self.storage().request(method, href);
        Ok(header.iter().fold(request, |asked, (name, value)| asked.header(name, value)))
    }

    /// Where it is to be had.
    async fn find(&self, repository: &Repository, id: &str, bytes: u64) -> Result<Action, GitHubError> {
        let actions = self.actions(repository, "download", Scope::Fetch, (id, bytes)).await?;
        actions.download.ok_or_else(|| self.no_large_file(repository, id))
    }

    fn no_large_file(&self, repository: &Repository, id: &str) -> GitHubError {
        let (host, repository) = (self.config().host.clone(), format!("large file {id} in {repository}"));
        GitHubError::NotFound { host, repository }
    }

    async fn actions(
        &self,
        repository: &Repository,
        operation: &str,
        scope: Scope,
        (id, bytes): (&str, u64),
    ) -> Result<Actions, GitHubError> {
        let token = self.token(repository, scope).await?;
        let asked = json!({
            "operation": operation, "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{ "oid": id, "size": bytes }],
        });
        let address = format!("{}/info/lfs/objects/batch", self.git_address(repository));
        let request = self.storage().post(address).basic_auth("x-access-token", Some(token));
        let request = request.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).body(asked.to_string());
        let Batch { objects } = self.send(&repository.to_string(), request).await?;
        match objects.into_iter().next() {
            Some(Object { error: Some(problem), .. }) if problem.code != 404 => {
                Err(GitHubError::Refused { message: problem.message })
            }
            Some(Object { actions, error: None }) => Ok(actions),
            Some(_) | None => Err(self.no_large_file(repository, id)),
        }
    }
}

impl LargeFile {
    /// The next of its bytes; `None` is its end.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, GitHubError> {
        let unreachable = |error: reqwest::Error| GitHubError::Unreachable {
            host: self.host.clone(),
            why: error.without_url().to_string(),
        };
        self.response.chunk().await.map_err(unreachable)
    }
}
