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

#[derive(Deserialize)]
struct Delivery {
    #[serde(default)]
    status: String,
    #[serde(default)]
    status_code: u16,
    #[serde(default)]
    event: String,
}

impl GitHub {
    pub async fn identity(&self) -> Result<Identity, GitHubError> {
        let path = if self.is_app() { "app" } else { "user" };
        let response = self.of_ourselves(path).await?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let ours = i64::try_from(self.tokens.now_s()).unwrap_or(i64::MAX);
        let clock_ahead_s = theirs.map(|theirs| ours.saturating_sub(theirs.timestamp().as_second()));
        let told: Told = self.read(response).await?;
        Ok(Identity { name: told.slug, permissions: told.permissions, events: told.events, clock_ahead_s })
    }

    /// `None` where it is no App that asks.
    pub async fn deliveries(&self) -> Result<Option<Deliveries>, GitHubError> {
        if !self.is_app() {
            return Ok(None);
        }
        let response = self.of_ourselves(&format!("app/hook/deliveries?per_page={DELIVERIES}")).await?;
        let all: Vec<Delivery> = self.read(response).await?;
        let is_failure = |delivery: &&Delivery| !(200..300).contains(&delivery.status_code);
        let last = all.iter().find(is_failure);
        Ok(Some(Deliveries {
            count: all.len(),
            failed: all.iter().filter(is_failure).count(),
            last_failure: last.map(|one| format!("{} ({}): {}", one.event, one.status_code, one.status)),
        }))
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
