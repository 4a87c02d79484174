//! A GitHub App: it says who it is with a statement that it signs, and gets tokens for one repository and one purpose each.
//!
//! Source: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App", "Create an installation access token for an app".

use super::Repository;
use super::client::{GitHub, Surroundings};
use super::error::GitHubError;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A statement is dated back by so much, for clocks that are not the same.
const BACK_S: u64 = 60;
/// And is good for so long from now on; ten minutes from its date is the most that GitHub takes.
const GOOD_S: u64 = 8 * 60;
/// A token is not used any more when it has less than this left.
const LEFT_S: u64 = 5 * 60;
/// What a token is taken to last where GitHub does not say.
const LASTS_S: u64 = 60 * 60;
/// Tokens that are kept at a time; what is more is minted anew.
const TOKENS_KEPT: usize = 512;

/// What a token is for: it can do that on one repository, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read what is in the repository.
    Fetch,
    /// Push to it.
    Push,
    /// Read and write issues and pull requests.
    Talk,
    /// Read what programs found.
    Check,
    /// Say that a draft is ready, for which GitHub wants both rights (cli/cli issue 6924).
    Ready,
}

impl Scope {
    fn permissions(self) -> Value {
        match self {
            Self::Fetch => json!({ "contents": "read" }),
            Self::Push => json!({ "contents": "write" }),
            Self::Ready => json!({ "contents": "write", "pull_requests": "write" }),
            Self::Check => json!({ "checks": "read" }),
            Self::Talk => json!({ "issues": "write", "metadata": "read", "pull_requests": "write" }),
        }
    }
}

/// The private key of an App.
pub(super) struct AppKey(RsaKeyPair);

/// Why a text is no private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the App's private key cannot be used: {0}")]
pub(super) struct BadKey(String);

/// Why this is no private key of an App's, as GitHub gives them.
pub fn check_app_key(pem: &str) -> Result<(), String> {
    AppKey::parse(pem).map(drop).map_err(|error| error.to_string())
}

impl AppKey {
    /// Of what GitHub lets people download: PEM, as PKCS#1 or PKCS#8.
    pub(super) fn parse(pem: &str) -> Result<Self, BadKey> {
        let bad = |why: &str| BadKey(why.to_owned());
        let inside = |label: &str| {
            let rest = pem.split_once(&format!("-----BEGIN {label}-----"))?.1;
            Some(rest.split_once(&format!("-----END {label}-----"))?.0)
        };
        let (text, is_pkcs1) = match (inside("RSA PRIVATE KEY"), inside("PRIVATE KEY")) {
            (Some(text), _) => (text, true),
            (None, Some(text)) => (text, false),
            (None, None) => return Err(bad("it is no PEM file with a private key in it")),
        };
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let der = BASE64_STANDARD.decode(text).map_err(|_| bad("what is between its marks is not base64"))?;
        let key = if is_pkcs1 { RsaKeyPair::from_der(&der) } else { RsaKeyPair::from_pkcs8(&der) };
        key.map(Self).map_err(|error| BadKey(error.to_string()))
    }

    /// Who asks, and until when that is good.
    fn statement(&self, id: u64, now_s: u64) -> Result<String, BadKey> {
        let claims =
            json!({ "iat": now_s.saturating_sub(BACK_S), "exp": now_s + GOOD_S, "iss": id.to_string() });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| BadKey("nothing can be signed with it".to_owned()))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The tokens that there are.
pub(super) struct Tokens {
    source: Source,
    surroundings: Surroundings,
    state: Mutex<State>,
}

enum Source {
    Personal(String),
    App { id: u64, key: Box<AppKey> },
}

#[derive(Default)]
struct State {
    /// By `owner/name`.
    installations: HashMap<String, u64>,
    minted: HashMap<(String, Scope), Minted>,
}

struct Minted {
    token: String,
    until_s: u64,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(super) fn personal(token: &str, surroundings: Surroundings) -> Self {
        (surroundings.learn)(token);
        Self { source: Source::Personal(token.to_owned()), surroundings, state: Mutex::default() }
    }

    pub(super) fn of_app(id: u64, key: AppKey, surroundings: Surroundings) -> Self {
        Self { source: Source::App { id, key: Box::new(key) }, surroundings, state: Mutex::default() }
    }

    pub(super) fn now_s(&self) -> u64 {
        (self.surroundings.now_s)()
    }

    /// Whether there can be another in its place.
    pub(super) fn forget(&self, token: &str) -> bool {
        let mut state = self.state();
        let before = state.minted.len();
        state.minted.retain(|_, minted| minted.token != token);
        state.minted.len() < before
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self, repository: &str, scope: Scope) -> Option<String> {
        let state = self.state();
        let minted = state.minted.get(&(repository.to_owned(), scope))?;
        (minted.until_s > self.now_s() + LEFT_S).then(|| minted.token.clone())
    }

    fn keep(&self, repository: &str, scope: Scope, minted: Minted) {
        let now_s = self.now_s();
        let mut state = self.state();
        state.minted.retain(|_, minted| minted.until_s > now_s + LEFT_S);
        if state.minted.len() >= TOKENS_KEPT {
            state.minted.clear();
        }
        state.minted.insert((repository.to_owned(), scope), minted);
    }
}

/// As GitHub tells them; what is not needed here is left out.
#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct NewToken {
    token: String,
    #[serde(default)]
    expires_at: Option<jiff::Timestamp>,
}

impl GitHub {
    /// The same, asked by a token of somebody's.
    pub fn by(&self, token: &str) -> Self {
        let mut theirs = self.clone();
        theirs.tokens = Arc::new(Tokens::personal(token, self.tokens.surroundings.clone()));
        theirs
    }

    /// For this repository and nothing beyond the scope, where an App asks; good for some minutes at least.
    pub async fn token(&self, repository: &Repository, scope: Scope) -> Result<String, GitHubError> {
        let (id, key) = match &self.tokens.source {
            Source::Personal(token) => return Ok(token.clone()),
            Source::App { id, key } => (*id, key),
        };
        let name = repository.to_string();
        if let Some(token) = self.tokens.ready(&name, scope) {
            return Ok(token);
        }
        let statement = key.statement(id, self.tokens.now_s()).map_err(|error| self.app_refused(error))?;
        let installation = self.installation(repository, &statement).await?;
        let address = format!("{}/app/installations/{installation}/access_tokens", self.config().api);
        let asked = json!({ "repositories": [repository.name], "permissions": scope.permissions() });
        let request = self.http.request(Method::POST, address).json(&asked);
        let minted: NewToken = match self.as_app(&name, request, &statement).await {
            // It was removed there and added again.
            Err(GitHubError::NotFound { .. }) => {
                self.tokens.state().installations.remove(&name);
                return Err(GitHubError::NotInstalled { repository: name });
            }
            minted => minted?,
        };
        (self.tokens.surroundings.learn)(&minted.token);
        let until = minted.expires_at.and_then(|at| u64::try_from(at.as_second()).ok());
        let until_s = until.unwrap_or_else(|| self.tokens.now_s() + LASTS_S);
        self.tokens.keep(&name, scope, Minted { token: minted.token.clone(), until_s });
        Ok(minted.token)
    }

    async fn installation(&self, repository: &Repository, statement: &str) -> Result<u64, GitHubError> {
        let name = repository.to_string();
        if let Some(id) = self.tokens.state().installations.get(&name) {
            return Ok(*id);
        }
        let address = format!("{}/repos/{name}/installation", self.config().api);
        let request = self.http.request(Method::GET, address);
        match self.as_app::<Installation>(&name, request, statement).await {
            Ok(found) => {
                self.tokens.state().installations.insert(name, found.id);
                Ok(found.id)
            }
            Err(GitHubError::NotFound { .. }) => Err(GitHubError::NotInstalled { repository: name }),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_app(&self) -> bool {
        matches!(self.tokens.source, Source::App { .. })
    }

    /// Asks who we are: as the App itself, or as the token's owner.
    pub(super) async fn of_ourselves(
        &self,
        method: Method,
        path: &str,
    ) -> Result<reqwest::Response, GitHubError> {
        let token = match &self.tokens.source {
            Source::Personal(token) => token.clone(),
            Source::App { id, key } => {
                key.statement(*id, self.tokens.now_s()).map_err(|error| self.app_refused(error))?
            }
        };
        let address = format!("{}/{path}", self.config().api);
        let request = self.http.request(method, address).bearer_auth(token);
        match self.answer("this", request).await {
            Err(GitHubError::Unauthorized { host }) if self.is_app() => Err(unsure_of_app(host)),
            done => done,
        }
    }

    /// Asked again by whoever needs it: it changes nothing that anybody sees.
    async fn as_app<T: DeserializeOwned>(
        &self,
        what: &str,
        request: RequestBuilder,
        statement: &str,
    ) -> Result<T, GitHubError> {
        match self.send(what, request.bearer_auth(statement)).await {
            Err(GitHubError::Unauthorized { host }) => Err(unsure_of_app(host)),
            done => done,
        }
    }

    fn app_refused(&self, error: BadKey) -> GitHubError {
        GitHubError::AppUnauthorized { host: self.config().host.clone(), message: error.to_string() }
    }
}

fn unsure_of_app(host: String) -> GitHubError {
    let message =
        "see that github.app_id and the key are of the same App, and that this machine's clock is right";
    GitHubError::AppUnauthorized { host, message: message.to_owned() }
}
