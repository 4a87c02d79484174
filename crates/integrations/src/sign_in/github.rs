//! GitHub's own web flow, of an OAuth app or a GitHub App. Sources: docs.github.com, "Authorizing OAuth apps", "Scopes for OAuth apps",
//! "Generating a user access token for a GitHub App", "Refreshing user access tokens", "Delete an app token".

use super::{Back, Draw, SignInError, Somebody, ask, challenge, client};
use reqwest::header::ACCEPT;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Memberships that are read; more are not asked for.
const MEMBERSHIPS: usize = 100;
/// Tokens of GitHub Apps begin so, which may what both the person and the App may. Source: docs.github.com, "About authentication to
/// GitHub", "GitHub's token formats".
const OF_AN_APP: &str = "ghu_";

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

/// What we may do in somebody's name: what they may and the App may, where it is installed.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonToken {
    pub access: String,
    /// What another is given for, once.
    pub refresh: Option<String>,
    /// From when it was given on; `None` lasts.
    pub lasts_s: Option<u64>,
}

impl fmt::Debug for PersonToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonToken")
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
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
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

impl Tokens {
    /// Unless it is a refusal of this issuer's.
    fn given(self, issuer: &str) -> Result<PersonToken, SignInError> {
        match self.access_token.filter(|_| self.error.is_none()) {
            Some(access) => Ok(PersonToken { access, refresh: self.refresh_token, lasts_s: self.expires_in }),
            None => {
                let why = self.error_description.or(self.error);
                let why = why.unwrap_or_else(|| "it does not say why".to_owned());
                Err(SignInError::Refused { issuer: issuer.to_owned(), why })
            }
        }
    }
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

    /// Who came back. What an OAuth app is given for it is used here and kept nowhere.
    pub async fn finish(&self, back: &Back, draw: &Draw, redirect: &str) -> Result<Somebody, SignInError> {
        let code = [
            ("code", back.code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", draw.verifier.as_str()),
        ];
        let given = self.exchange(&code).await?.given(&self.config.web)?;
        let token = given.access.clone();
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
            token: given.access.starts_with(OF_AN_APP).then_some(given),
        })
    }

    /// Another token for what came with one, which counts once; `None` where GitHub does not take it any more.
    pub async fn refresh(&self, refresh: &str) -> Result<Option<PersonToken>, SignInError> {
        let tokens = self.exchange(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await?;
        if tokens.error.as_deref() == Some("bad_refresh_token") {
            return Ok(None);
        }
        tokens.given(&self.config.web).map(Some)
    }

    /// From then on nobody may do anything by this token. That it was none does not matter.
    pub async fn give_back(&self, access: &str) -> Result<(), SignInError> {
        let GitHubSignInConfig { api, client_id, client_secret, web, .. } = &self.config;
        let request = self.http.delete(format!("{api}/applications/{client_id}/token"));
        let request = request.basic_auth(client_id, Some(client_secret));
        let request = request.header(ACCEPT, "application/vnd.github+json");
        let answer = request.json(&serde_json::json!({ "access_token": access })).send().await;
        let answer = answer.map_err(|error| self.unreachable(&error.without_url().to_string()))?;
        match answer.status() {
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(SignInError::Refused { issuer: web.clone(), why: status.to_string() }),
        }
    }

    async fn exchange(&self, what: &[(&str, &str)]) -> Result<Tokens, SignInError> {
        let ours = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.as_str()),
        ];
        let form: Vec<_> = ours.iter().chain(what).collect();
        let request = self.http.post(format!("{}/login/oauth/access_token", self.config.web));
        let request = request.header(ACCEPT, "application/json").form(&form);
        Ok(ask::<Tokens>(&self.config.web, request).await?.1)
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
