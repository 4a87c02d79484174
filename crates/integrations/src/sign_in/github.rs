//! GitHub's own web flow, of an OAuth app or a GitHub App. Source: docs.github.com, "Authorizing OAuth apps" and "Scopes for OAuth apps".

use super::{Back, Draw, SignInError, Somebody, ask, challenge, client};
use reqwest::Url;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Memberships that are read; more are not asked for.
const MEMBERSHIPS: usize = 100;

/// Which GitHub, and what we are to it.
#[derive(Clone)]
pub struct GitHubSignInConfig {
    /// Of its pages, such as `https://github.com`, without a slash at its end.
    pub web: String,
    /// Of its REST interface, likewise.
    pub api: String,
    pub client_id: String,
    pub client_secret: String,
    /// Whether organisations are asked for, which people then have to allow.
    pub organisations: bool,
}

impl fmt::Debug for GitHubSignInConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubSignInConfig").field("web", &self.web).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub struct GitHubSignIn {
    http: reqwest::Client,
    config: GitHubSignInConfig,
}

/// A refusal comes with 200, too.
#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
    organization: Organisation,
}

#[derive(Deserialize)]
struct Organisation {
    login: String,
}

impl GitHubSignIn {
    /// Asks nothing yet.
    pub fn new(config: GitHubSignInConfig) -> reqwest::Result<Self> {
        Ok(Self { http: client()?, config })
    }

    /// Where a browser is sent.
    pub fn begin(&self, draw: &Draw, redirect: &str) -> Result<String, SignInError> {
        let address = format!("{}/login/oauth/authorize", self.config.web);
        let mut url = Url::parse(&address).map_err(|_| self.unreachable("its address is none"))?;
        let scope = if self.config.organisations { "user:email read:org" } else { "user:email" };
        url.query_pairs_mut().extend_pairs([
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", redirect),
            ("scope", scope),
            ("state", &draw.state),
            ("code_challenge", &challenge(&draw.verifier)),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// Who came back. What GitHub gives us for it is used here and kept nowhere.
    pub async fn finish(&self, back: &Back, draw: &Draw, redirect: &str) -> Result<Somebody, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.as_str()),
            ("code", back.code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", draw.verifier.as_str()),
        ];
        let request = self.http.post(format!("{}/login/oauth/access_token", self.config.web));
        let request = request.header(ACCEPT, "application/json").form(&form);
        let (_, tokens) = ask::<Tokens>(&self.config.web, request).await?;
        let Some(token) = tokens.access_token.filter(|_| tokens.error.is_none()) else {
            let why = tokens.error_description.or(tokens.error);
            let why = why.unwrap_or_else(|| "it does not say why".to_owned());
            return Err(SignInError::Refused { issuer: self.config.web.clone(), why });
        };
        let user: User = self.get(&token, "/user").await?;
        let emails: Vec<Email> = self.list(&token, "/user/emails").await?;
        let email = emails.into_iter().find(|email| email.primary && email.verified);
        let organisations = if self.config.organisations {
            let path = format!("/user/memberships/orgs?state=active&per_page={MEMBERSHIPS}");
            let all: Vec<Membership> = self.list(&token, &path).await?;
            let active = all.into_iter().filter(|membership| membership.state == "active");
            active.map(|membership| membership.organization.login.to_lowercase()).collect()
        } else {
            Vec::new()
        };
        let name = user.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| user.login.clone());
        Ok(Somebody {
            issuer: self.config.web.clone(),
            // A login can be given up, and taken by somebody else; the number cannot.
            subject: user.id.to_string(),
            login: user.login,
            name,
            email: email.map(|email| email.email),
            organisations,
        })
    }

    /// Empty where the person, or whoever owns the app, has not said yes to that.
    async fn list<T: DeserializeOwned>(&self, token: &str, path: &str) -> Result<Vec<T>, SignInError> {
        match self.get(token, path).await {
            Err(SignInError::Refused { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    async fn get<T: DeserializeOwned>(&self, token: &str, path: &str) -> Result<T, SignInError> {
        let request = self.http.get(format!("{}{path}", self.config.api)).bearer_auth(token);
        let request = request.header(ACCEPT, "application/vnd.github+json");
        let (is_fine, answer) = ask::<serde_json::Value>(&self.config.web, request).await?;
        if !is_fine {
            let why = answer["message"].as_str().unwrap_or("it does not say why").to_owned();
            return Err(SignInError::Refused { issuer: self.config.web.clone(), why });
        }
        serde_json::from_value(answer).map_err(|_| self.unreachable("it does not say who signed in"))
    }

    fn unreachable(&self, why: &str) -> SignInError {
        SignInError::Unreachable { issuer: self.config.web.clone(), why: why.to_owned() }
    }
}
