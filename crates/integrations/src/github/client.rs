//! One request to GitHub: who asks, what is tried again, and what an answer means.

use super::Repository;
use super::app::{AppKey, Scope, Tokens};
use super::error::{Detail, GitHubError, Refusal};
use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
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
#[derive(Debug, Clone)]
pub struct GitHubConfig {
    /// As it stands in addresses of repositories, such as `github.com`.
    pub host: String,
    /// Of the REST interface, without a slash at its end.
    pub api: String,
    /// Of the GraphQL interface, itself.
    pub graphql: String,
    /// What `owner/name.git` is put behind to clone and push, without a slash at its end.
    pub git: String,
    pub access: Access,
}

/// Who asks.
#[derive(Clone)]
pub enum Access {
    /// A token of somebody's: may read the repositories, push to them, and write issues and pull requests.
    Token(String),
    /// A GitHub App, by its id and its private key as GitHub gives it (PEM).
    App { id: u64, key: String },
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::App { id, .. } => f.debug_struct("App").field("id", id).finish_non_exhaustive(),
        }
    }
}

/// What a client needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Seconds since 1970.
    pub now_s: fn() -> u64,
    /// Is told each token as soon as there is one, before anything is done with it.
    pub learn: Arc<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

/// A client of one GitHub.
#[derive(Debug, Clone)]
pub struct GitHub {
    pub(super) http: reqwest::Client,
    storage: reqwest::Client,
    config: GitHubConfig,
    pub(super) tokens: Arc<Tokens>,
}

/// One question about a repository, before it is sent.
#[derive(Clone)]
pub(super) struct Question<'a> {
    github: &'a GitHub,
    repository: &'a Repository,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    scope: Scope,
}

/// An answer that is not the one of before.
#[derive(Debug)]
pub struct Fresh<T> {
    pub value: T,
    pub tag: Option<Tag>,
}

/// Which answer it was; of use to whoever asks the same with the same token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    value: String,
    token: String,
}

impl GitHub {
    /// Asks nothing yet. Fails where the token or the key can be no such.
    pub fn new(config: GitHubConfig, surroundings: Surroundings) -> Result<Self, GitHubError> {
        let unusable = |why: String| GitHubError::Unreachable { host: config.host.clone(), why };
        let tokens = match &config.access {
            Access::Token(token) => {
                HeaderValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| unusable("the token has characters that no token has".to_owned()))?;
                Tokens::personal(token, surroundings)
            }
            Access::App { id, key } => {
                let key = AppKey::parse(key).map_err(|error| unusable(error.to_string()))?;
                Tokens::of_app(*id, key, surroundings)
            }
        };
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (USER_AGENT, HeaderValue::from_static("lamplight")),
            ("x-github-api-version".parse().expect("it is a name"), HeaderValue::from_static(VERSION)),
        ]);
        let client = |builder: reqwest::ClientBuilder| builder.timeout(WAIT).build();
        let http = client(reqwest::Client::builder().default_headers(headers));
        let http = http.map_err(|error| unusable(error.to_string()))?;
        let storage = client(reqwest::Client::builder().user_agent("lamplight"));
        let storage = storage.map_err(|error| unusable(error.to_string()))?;
        Ok(Self { http, storage, config, tokens: Arc::new(tokens) })
    }

    /// For what is no part of the REST interface.
    pub(super) fn storage(&self) -> &reqwest::Client {
        &self.storage
    }

    pub fn config(&self) -> &GitHubConfig {
        &self.config
    }

    /// `owner/name` on this GitHub.
    pub fn repository(&self, name: &str) -> Option<Repository> {
        Repository::of_address(&format!("https://{}/{name}", self.config.host))
    }

    /// Where git fetches from and pushes to.
    pub fn git_address(&self, repository: &Repository) -> String {
        format!("{}/{repository}.git", self.config.git)
    }

    pub(super) fn ask<'a>(
        &'a self,
        method: Method,
        repository: &'a Repository,
        path: impl Into<String>,
    ) -> Question<'a> {
        let path = path.into();
        let path = if path.is_empty() { path } else { format!("/{path}") };
        let (query, body, scope) = (Vec::new(), None, Scope::Talk);
        Question { github: self, repository, method, path, query, body, scope }
    }

    /// Asked once, of what does the same however often it is asked for. What GraphQL refuses it says with status 200.
    pub(super) async fn graphql(
        &self,
        repository: &Repository,
        scope: Scope,
        query: &str,
        variables: Value,
    ) -> Result<(), GitHubError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            errors: Vec<Detail>,
        }
        let token = self.token(repository, scope).await?;
        let body = serde_json::json!({ "query": query, "variables": variables });
        let request = self.http.post(&self.config.graphql).bearer_auth(token).json(&body);
        let Answer { errors } = self.send(&repository.to_string(), request).await?;
        if errors.is_empty() {
            return Ok(());
        }
        Err(GitHubError::Refused { message: Refusal { message: String::new(), errors }.in_words() })
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        what: &str,
        request: RequestBuilder,
    ) -> Result<T, GitHubError> {
        let response = self.answer(what, request).await?;
        self.read(response).await
    }

    /// An answer that is no refusal.
    pub(super) async fn answer(&self, what: &str, request: RequestBuilder) -> Result<Response, GitHubError> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(what, response).await) }
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, GitHubError> {
        response.json().await.map_err(|error| self.unreachable(error))
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> GitHubError {
        GitHubError::Unreachable { host: self.config.host.clone(), why: error.without_url().to_string() }
    }

    async fn refusal(&self, what: &str, response: Response) -> GitHubError {
        let host = self.config.host.clone();
        let status = response.status();
        let seconds = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
        let is_spent = seconds("x-ratelimit-remaining") == Some(0);
        let until = seconds("x-ratelimit-reset").filter(|_| is_spent);
        let wait = seconds(RETRY_AFTER.as_str())
            .or_else(|| until.map(|until| until.saturating_sub(self.tokens.now_s())));
        let refusal: Refusal = response.json().await.unwrap_or_default();
        let message = refusal.in_words();
        // Source: docs.github.com, "Rate limits for the REST API": both limits are told by 403 or by 429.
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN
                && (is_spent || wait.is_some() || message.contains("secondary rate limit")));
        match status {
            _ if is_limit => GitHubError::Limited { host, seconds: wait },
            StatusCode::UNAUTHORIZED => GitHubError::Unauthorized { host },
            StatusCode::FORBIDDEN => GitHubError::Forbidden { repository: what.to_owned(), message },
            StatusCode::NOT_FOUND => GitHubError::NotFound { host, repository: what.to_owned() },
            status if status.is_server_error() => {
                GitHubError::Unreachable { host, why: format!("it answered {status}") }
            }
            _ if message.is_empty() => GitHubError::Refused { message: status.to_string() },
            _ => GitHubError::Refused { message },
        }
    }
}

impl Question<'_> {
    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a token for something else than talking.
    pub(super) fn with(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_value(body).expect("what is sent is strings and numbers"));
        self
    }

    /// Sends what may be sent again: it does the same however often it arrives.
    pub(super) async fn repeatable<T: DeserializeOwned>(&self) -> Result<T, GitHubError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.once().await {
                Err(GitHubError::Unreachable { why, .. }) => {
                    tracing::info!(host = self.github.config.host, why, "GitHub is asked again");
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
        self.once().await
    }

    /// Sends it once: after [`GitHubError::Unreachable`] nobody knows whether it was done.
    pub(super) async fn once<T: DeserializeOwned>(&self) -> Result<T, GitHubError> {
        let token = self.token().await?;
        match self.github.send(&self.repository.to_string(), self.request(&token)).await {
            // It was taken back before its time; nothing was done.
            Err(GitHubError::Unauthorized { .. }) if self.github.tokens.forget(&token) => {
                let token = self.token().await?;
                self.github.send(&self.repository.to_string(), self.request(&token)).await
            }
            done => done,
        }
    }

    /// The answer, unless it is still the one with this tag.
    pub(super) async fn if_changed<T: DeserializeOwned>(
        &self,
        before: Option<&Tag>,
    ) -> Result<Option<Fresh<T>>, GitHubError> {
        let token = self.token().await?;
        let mut request = self.request(&token);
        if let Some(tag) = before.filter(|tag| tag.token == token) {
            request = request.header(IF_NONE_MATCH, &tag.value);
        }
        let response = request.send().await.map_err(|error| self.github.unreachable(error))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(self.github.refusal(&self.repository.to_string(), response).await);
        }
        let value = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let tag = value.map(|value| Tag { value, token });
        let value = response.json().await.map_err(|error| self.github.unreachable(error))?;
        Ok(Some(Fresh { value, tag }))
    }

    async fn token(&self) -> Result<String, GitHubError> {
        self.github.token(self.repository, self.scope).await
    }

    fn request(&self, token: &str) -> RequestBuilder {
        let address = format!("{}/repos/{}{}", self.github.config.api, self.repository, self.path);
        let request = self.github.http.request(self.method.clone(), address).bearer_auth(token);
        let request = if self.query.is_empty() { request } else { request.query(&self.query) };
        match &self.body {
            Some(body) => request.json(body),
            None => request,
        }
    }
}
