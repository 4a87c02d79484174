//! Large files of a repository, as Git LFS keeps them beside it.
//!
//! Source: github.com/git-lfs/git-lfs, `docs/api/batch.md`, `docs/api/basic-transfers.md`.

use super::Repository;
use super::app::Scope;
use super::client::GitHub;
use super::error::GitHubError;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
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
    download: Option<Download>,
}

#[derive(Deserialize)]
struct Download {
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
        let refused = |message: &str| GitHubError::Refused { message: message.to_owned() };
        let Download { href, header } = self.find(repository, id, bytes).await?;
        if !href.starts_with("https://") && !href.starts_with("http://") {
            return Err(refused("a large file has no address that can be asked"));
        }
        // The address lets in whoever has it; our token is not for those who keep it.
        let request =
            header.iter().fold(self.storage().get(href), |asked, (name, value)| asked.header(name, value));
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

    /// Where it is to be had.
    async fn find(&self, repository: &Repository, id: &str, bytes: u64) -> Result<Download, GitHubError> {
        let token = self.token(repository, Scope::Fetch).await?;
        let asked = json!({
            "operation": "download", "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{ "oid": id, "size": bytes }],
        });
        let address = format!("{}/info/lfs/objects/batch", self.git_address(repository));
        let request = self.storage().post(address).basic_auth("x-access-token", Some(token));
        let request = request.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).body(asked.to_string());
        let Batch { objects } = self.send(&repository.to_string(), request).await?;
        let found = objects.into_iter().next();
        let missing = || GitHubError::NotFound {
            host: self.config().host.clone(),
            repository: format!("large file {id} in {repository}"),
        };
        match found {
            Some(Object { error: Some(problem), .. }) if problem.code != 404 => {
                Err(GitHubError::Refused { message: problem.message })
            }
            Some(Object { actions: Actions { download: Some(download) }, error: None }) => Ok(download),
            Some(_) | None => Err(missing()),
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
