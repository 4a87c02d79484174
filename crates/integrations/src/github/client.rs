//! One request to GitHub: who asks, what is tried again, and what an answer means.

use super::Repository;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;

const VERSION: &str = "2022-11-28";
/// For one answer.
const WAIT: Duration = Duration::from_secs(30);
/// Tries of a request that may be repeated.
const TRIES: u32 = 4;
/// Before the second try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A longer one, as GitHub may ask for, is told to the person instead of waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where GitHub is, and who asks.
#[derive(Clone)]
pub struct GitHubConfig {
    /// As it stands in addresses of repositories, such as `github.com`.
    pub host: String,
    /// Of the REST interface, without a slash at its end.
    pub api: String,
    /// What `owner/name.git` is put behind to clone and push, without a slash at its end.
    pub git: String,
    /// May read the repository, push to it and open pull requests.
    pub token: String,
}

impl fmt::Debug for GitHubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubConfig")
            .field("host", &self.host)
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

/// A client of one GitHub.
#[derive(Debug, Clone)]
pub struct GitHub {
    http: reqwest::Client,
    config: GitHubConfig,
}

/// Why GitHub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    #[error("{host} does not take the token")]
    Unauthorized { host: String },
    /// With what GitHub says about it.
    #[error("the token may not do this on {repository}: {message}")]
    Forbidden { repository: String, message: String },
    #[error("there is no {repository} on {host}, or the token may not see it")]
    NotFound { host: String, repository: String },
    #[error("{host} takes no more requests for now{}", .seconds.map(|s| format!("; in {s} s again")).unwrap_or_default())]
    Limited { host: String, seconds: Option<u64> },
    /// It understood, and does not want to.
    #[error("GitHub refused: {message}")]
    Refused { message: String },
    #[error("{host} could not be asked: {why}")]
    Unreachable { host: String, why: String },
}

/// What GitHub says with a refusal.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Of {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        code: Option<String>,
    },
}

impl Refusal {
    fn in_words(&self) -> String {
        let details = self.errors.iter().map(|detail| match detail {
            Detail::Text(text) => text.clone(),
            Detail::Of { message: Some(message), .. } => message.clone(),
            Detail::Of { message: None, field, code } => {
                [field.as_deref(), code.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        });
        std::iter::once(self.message.clone())
            .chain(details)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    }
}

impl GitHub {
    /// Asks nothing yet. Fails where the token cannot be in a header.
    pub fn new(config: GitHubConfig) -> Result<Self, GitHubError> {
        let unusable = |why: String| GitHubError::Unreachable { host: config.host.clone(), why };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", config.token))
            .map_err(|_| unusable("the token has characters that no token has".to_owned()))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (USER_AGENT, HeaderValue::from_static("lamplight")),
            ("x-github-api-version".parse().expect("it is a name"), HeaderValue::from_static(VERSION)),
        ]);
        let http = reqwest::Client::builder().default_headers(headers).timeout(WAIT).build();
        Ok(Self { http: http.map_err(|error| unusable(error.to_string()))?, config })
    }

    pub fn config(&self) -> &GitHubConfig {
        &self.config
    }

    /// Where git pushes to.
    pub fn git_address(&self, repository: &Repository) -> String {
        format!("{}/{repository}.git", self.config.git)
    }

    pub(super) fn request(&self, method: Method, repository: &Repository, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/repos/{repository}/{path}", self.config.api))
    }

    /// Sends what may be sent again: it does the same however often it arrives.
    pub(super) async fn repeatable<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        request: RequestBuilder,
    ) -> Result<T, GitHubError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let again = request.try_clone().expect("its body is in memory");
            match self.once(repository, again).await {
                Err(GitHubError::Unreachable { why, .. }) => {
                    tracing::info!(host = self.config.host, why, "GitHub is asked again");
                }
                Err(GitHubError::Limited { seconds: Some(seconds), .. })
                    if seconds <= LONGEST_PAUSE.as_secs() =>
                {
                    pause = Duration::from_secs(seconds.max(1));
                }
                done => return done,
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        self.once(repository, request).await
    }

    /// Sends it once: after [`GitHubError::Unreachable`] nobody knows whether it was done.
    pub(super) async fn once<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        request: RequestBuilder,
    ) -> Result<T, GitHubError> {
        let unreachable = |error: reqwest::Error| GitHubError::Unreachable {
            host: self.config.host.clone(),
            why: error.without_url().to_string(),
        };
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return response.json().await.map_err(unreachable);
        }
        Err(self.refusal(repository, response).await)
    }

    async fn refusal(&self, repository: &Repository, response: Response) -> GitHubError {
        let host = self.config.host.clone();
        let status = response.status();
        let seconds = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
        let wait = seconds(RETRY_AFTER.as_str());
        let is_spent = seconds("x-ratelimit-remaining") == Some(0);
        let refusal: Refusal = response.json().await.unwrap_or_default();
        let message = refusal.in_words();
        // Source: docs.github.com, "Rate limits for the REST API": both limits are told by 403 or by 429.
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN
                && (is_spent || wait.is_some() || message.contains("secondary rate limit")));
        match status {
            _ if is_limit => GitHubError::Limited { host, seconds: wait },
            StatusCode::UNAUTHORIZED => GitHubError::Unauthorized { host },
            StatusCode::FORBIDDEN => GitHubError::Forbidden { repository: repository.to_string(), message },
            StatusCode::NOT_FOUND => GitHubError::NotFound { host, repository: repository.to_string() },
            status if status.is_server_error() => {
                GitHubError::Unreachable { host, why: format!("it answered {status}") }
            }
            _ if message.is_empty() => GitHubError::Refused { message: status.to_string() },
            _ => GitHubError::Refused { message },
        }
    }
}
