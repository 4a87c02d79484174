//! Whether what was configured works: who GitHub takes us for, what that may do, whether the clocks agree, where deliveries are sent and what
//! came of them, and whether GraphQL answers.

use super::Repository;
use super::app::Scope;
use super::client::GitHub;
use super::error::GitHubError;
use reqwest::Method;
use reqwest::header::{DATE, HeaderMap, LINK};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Deliveries that are looked at, the newest first.
const DELIVERIES: usize = 30;

/// Who GitHub takes us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A user's login, or an App's slug.
    pub name: String,
    /// Of an App: what it was given, such as `issues` with `write`.
    pub permissions: Option<BTreeMap<String, String>>,
    /// Of an App: what it is told of.
    pub events: Vec<String>,
    /// How far this machine's clock is ahead of GitHub's, in seconds.
    pub clock_ahead_s: Option<i64>,
}

/// Where an App's deliveries are sent. Source: docs.github.com, "Get a webhook configuration for an app".
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct HookConfig {
    /// Missing where it has no webhook.
    #[serde(default)]
    pub url: Option<String>,
    /// `json` or `form`; missing is `form`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// `"1"` where the certificate of the address is not looked at; also told as a number.
    #[serde(default)]
    insecure_ssl: Value,
}

impl HookConfig {
    /// Whether the certificate of the address is looked at.
    pub fn is_checked(&self) -> bool {
        self.insecure_ssl != json!("1") && self.insecure_ssl != json!(1)
    }
}

/// What came of the newest deliveries of an App; one that was sent again and then arrived did arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub count: usize,
    pub failed: usize,
    /// Of those that did not arrive, what GitHub says of the newest.
    pub last_failure: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(alias = "login")]
    slug: String,
    #[serde(default)]
    permissions: Option<BTreeMap<String, String>>,
    #[serde(default)]
    events: Vec<String>,
}

/// One attempt to deliver something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    pub id: u64,
    /// The same for all attempts of one delivery.
    pub guid: String,
    pub delivered_at: jiff::Timestamp,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub status_code: u16,
    #[serde(default)]
    pub event: String,
}

/// Some of them, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    pub attempts: Vec<Attempt>,
    /// Where the older ones begin; `None` where there are none.
    pub older: Option<String>,
}

impl Attempt {
    pub fn has_arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

impl GitHub {
    pub async fn identity(&self) -> Result<Identity, GitHubError> {
        let path = if self.is_app() { "app" } else { "user" };
        let response = match self.of_ourselves(Method::GET, path).await {
            Err(GitHubError::NotFound { host, .. }) if self.is_app() => {
                let message = "it knows no App with this id; see github.app_id".to_owned();
                return Err(GitHubError::AppUnauthorized { host, message });
            }
            response => response?,
        };
        let clock_ahead_s = self.ahead_of(response.headers());
        let told: Told = self.read(response).await?;
        Ok(Identity { name: told.slug, permissions: told.permissions, events: told.events, clock_ahead_s })
    }

    /// How far this machine's clock is ahead, in seconds, by an answer for which nobody has to say who they are. `None` where it does not say.
    pub async fn clock_ahead_s(&self) -> Result<Option<i64>, GitHubError> {
        let request = self.http.get(format!("{}/meta", self.config().api));
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        Ok(self.ahead_of(response.headers()))
    }

    fn ahead_of(&self, headers: &HeaderMap) -> Option<i64> {
        let theirs = jiff::fmt::rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?;
        let ours = i64::try_from(self.tokens.now_s()).unwrap_or(i64::MAX);
        Some(ours.saturating_sub(theirs.timestamp().as_second()))
    }

    /// `None` where it is no App that asks.
    pub async fn deliveries(&self) -> Result<Option<Deliveries>, GitHubError> {
        let Some(Attempts { attempts: all, .. }) = self.attempts(DELIVERIES, None).await? else {
            return Ok(None);
        };
        let arrived: HashSet<&str> =
            all.iter().filter(|one| one.has_arrived()).map(|one| one.guid.as_str()).collect();
        let mut seen = HashSet::new();
        let each = all.iter().filter(|one| seen.insert(one.guid.as_str()));
        let (well, failed): (Vec<_>, Vec<_>) = each.partition(|one| arrived.contains(one.guid.as_str()));
        Ok(Some(Deliveries {
            count: well.len() + failed.len(),
            failed: failed.len(),
            last_failure: failed
                .first()
                .map(|one| format!("{} ({}): {}", one.event, one.status_code, one.status)),
        }))
    }

    /// `None` where it is no App that asks, or one without a webhook.
    pub async fn hook_config(&self) -> Result<Option<HookConfig>, GitHubError> {
        if !self.is_app() {
            return Ok(None);
        }
        match self.of_ourselves(Method::GET, "app/hook/config").await {
            Ok(response) => self.read(response).await.map(Some),
            Err(GitHubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the address of GraphQL leads there, and takes the token.
    pub async fn reach_graphql(&self, repository: &Repository) -> Result<(), GitHubError> {
        self.graphql(repository, Scope::Talk, "query { __typename }", json!({})).await
    }

    /// The newest, or those from `older` on; a hundred at the most. `None` where it is no App that asks.
    pub async fn attempts(&self, count: usize, older: Option<&str>) -> Result<Option<Attempts>, GitHubError> {
        if !self.is_app() {
            return Ok(None);
        }
        let cursor = older.map(|older| format!("&cursor={older}")).unwrap_or_default();
        let path = format!("app/hook/deliveries?per_page={count}{cursor}");
        let response = self.of_ourselves(Method::GET, &path).await?;
        let older = response.headers().get(LINK).and_then(|link| cursor_of_next(link.to_str().ok()?));
        Ok(Some(Attempts { attempts: self.read(response).await?, older }))
    }

    /// GitHub delivers it again, under the number that it had. By itself it never does.
    pub async fn deliver_again(&self, attempt: u64) -> Result<(), GitHubError> {
        let path = format!("app/hook/deliveries/{attempt}/attempts");
        self.of_ourselves(Method::POST, &path).await.map(drop)
    }

    /// Whether a repository can be worked on; why not, if GitHub says so.
    pub async fn may_push(&self, repository: &Repository) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Facts {
            #[serde(default)]
            permissions: BTreeMap<String, bool>,
            #[serde(default)]
            archived: bool,
        }
        let facts: Facts = self.ask(Method::GET, repository, "").repeatable().await?;
        // An App is told nothing about itself here: its permissions say it.
        let pushes = self.is_app() || facts.permissions.get("push").copied().unwrap_or(false);
        Ok(pushes && !facts.archived)
    }
}

/// Of the page behind this one, as `Link` tells it; nothing else of that address is believed.
///
/// Source: docs.github.com, "Using pagination in the REST API".
fn cursor_of_next(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let (_, query) = next.split_once('<')?.1.split_once('>')?.0.split_once('?')?;
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%".contains(c);
    (!cursor.is_empty() && cursor.chars().all(is_plain)).then(|| cursor.to_owned())
}
