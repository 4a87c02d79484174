//! Whether what was configured works: who GitHub takes us for, what that may do, whether the clocks agree, and what came of deliveries.

use super::Repository;
use super::client::{GitHub, GitHubError};
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeMap;

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

/// What came of the newest deliveries of an App.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub count: usize,
    /// Of those that did not arrive, what GitHub says of the newest.
    pub failed: usize,
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

impl Attempt {
    pub fn has_arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

impl GitHub {
    pub async fn identity(&self) -> Result<Identity, GitHubError> {
        let path = if self.is_app() { "app" } else { "user" };
        let response = self.of_ourselves(Method::GET, path).await?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let ours = i64::try_from(self.tokens.now_s()).unwrap_or(i64::MAX);
        let clock_ahead_s = theirs.map(|theirs| ours.saturating_sub(theirs.timestamp().as_second()));
        let told: Told = self.read(response).await?;
        Ok(Identity { name: told.slug, permissions: told.permissions, events: told.events, clock_ahead_s })
    }

    /// `None` where it is no App that asks.
    pub async fn deliveries(&self) -> Result<Option<Deliveries>, GitHubError> {
        let Some(all) = self.attempts(DELIVERIES).await? else { return Ok(None) };
        let last = all.iter().find(|one| !one.has_arrived());
        Ok(Some(Deliveries {
            count: all.len(),
            failed: all.iter().filter(|one| !one.has_arrived()).count(),
            last_failure: last.map(|one| format!("{} ({}): {}", one.event, one.status_code, one.status)),
        }))
    }

    /// The newest first, a hundred at the most. `None` where it is no App that asks.
    pub async fn attempts(&self, count: usize) -> Result<Option<Vec<Attempt>>, GitHubError> {
        if !self.is_app() {
            return Ok(None);
        }
        let path = format!("app/hook/deliveries?per_page={count}");
        let response = self.of_ourselves(Method::GET, &path).await?;
        self.read(response).await.map(Some)
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
