//! Whether what is configured of GitHub works, for `lamplight doctor`.

use crate::config::Config;
use crate::pull_request;
use lamplight_integrations::GitHub;
use lamplight_integrations::github::{EVENTS, PERMISSIONS};
use std::collections::BTreeMap;

/// Clocks may differ by so much; statements of Apps are dated back by a minute.
const CLOCK_S: i64 = 30;
/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubFinding {
    pub is_well: bool,
    pub detail: String,
    /// What to do where it is not.
    pub remedy: Option<String>,
}

fn well(detail: impl Into<String>) -> GitHubFinding {
    GitHubFinding { is_well: true, detail: detail.into(), remedy: None }
}

fn unwell(detail: impl Into<String>, remedy: impl Into<String>) -> GitHubFinding {
    GitHubFinding { is_well: false, detail: detail.into(), remedy: Some(remedy.into()) }
}

/// Asks GitHub; nothing where there is neither token nor App.
pub async fn examine_github(config: &Config) -> Vec<GitHubFinding> {
    let github = match pull_request::open(config) {
        Ok(Some(github)) => github,
        Ok(None) => return Vec::new(),
        Err(error) => {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            return vec![unwell(why, "see github.private_key_file and the token")];
        }
    };
    examine(&github, config).await
}

/// The same, asked by a client that there is.
pub(super) async fn examine(github: &GitHub, config: &Config) -> Vec<GitHubFinding> {
    let mut findings = vec![identity(github).await];
    if !findings[0].is_well && findings[0].detail.contains("could not be asked") {
        return findings;
    }
    findings.extend(deliveries(github, config).await);
    for name in config.forge.iter().flat_map(|forge| &forge.repositories) {
        findings.push(repository(github, name).await);
    }
    findings
}

async fn identity(github: &GitHub) -> GitHubFinding {
    let host = &github.config().host;
    let told = match github.identity().await {
        Ok(told) => told,
        Err(error) => return unwell(error.to_string(), "correct [github], or the clock of this machine"),
    };
    if let Some(ahead) = told.clock_ahead_s.filter(|ahead| ahead.abs() > CLOCK_S) {
        return unwell(
            format!("this machine's clock is {ahead} s ahead of {host}'s"),
            "set the clock, for example with chrony",
        );
    }
    let Some(permissions) = told.permissions else { return well(format!("{} on {host}", told.name)) };
    let missing = missing(&permissions);
    if !missing.is_empty() {
        return unwell(
            format!("the App {} may not: {}", told.name, missing.join(", ")),
            "give it these permissions in its settings on GitHub, and accept them where it is installed",
        );
    }
    if permissions.contains_key("workflows") {
        return unwell(
            format!("the App {} may change workflows, which it does not need", told.name),
            "take that permission away: then GitHub refuses pushes that change them",
        );
    }
    let deaf: Vec<_> =
        EVENTS.into_iter().filter(|event| !told.events.iter().any(|told| told == event)).collect();
    match deaf.as_slice() {
        [] => well(format!("the App {} on {host}", told.name)),
        some => unwell(
            format!("the App {} is not told of: {}", told.name, some.join(", ")),
            "subscribe it to these events in its settings on GitHub; without them the server finds out by looking, later",
        ),
    }
}

fn missing(permissions: &BTreeMap<String, String>) -> Vec<String> {
    let has = |name: &str, level: &str| {
        permissions.get(name).is_some_and(|given| given == level || given == "write" || given == "admin")
    };
    let lacks = PERMISSIONS.into_iter().filter(|(name, level)| !has(name, level));
    lacks.map(|(name, level)| format!("{name} ({level})")).collect()
}

async fn deliveries(github: &GitHub, config: &Config) -> Option<GitHubFinding> {
    let secret = config.forge.as_ref().and_then(|forge| forge.webhook_secret.as_ref());
    secret?;
    match github.deliveries().await {
        Ok(None) => None,
        Ok(Some(found)) => Some(match found.last_failure {
            None => well(format!("{} of the last webhook deliveries arrived", found.count)),
            Some(last) => unwell(
                format!(
                    "{} of the last {} webhook deliveries did not arrive; {last}",
                    found.failed, found.count
                ),
                "see that the address of the App's webhook leads to /github/webhooks of this server, and that the secret is the same",
            ),
        }),
        Err(error) => Some(unwell(error.to_string(), "give the App a webhook, in its settings on GitHub")),
    }
}

async fn repository(github: &GitHub, name: &str) -> GitHubFinding {
    let Some(repository) = github.repository(name) else {
        return unwell(format!("{name} is no repository"), "correct github.repositories");
    };
    match github.may_push(&repository).await {
        Ok(true) => well(format!("{name} can be worked on")),
        Ok(false) => unwell(
            format!("{name} is archived, or the token may not push to it"),
            "take it out of github.repositories, or take a token that may push",
        ),
        Err(error) => {
            unwell(error.to_string(), "correct github.repositories, or give the token the right to read it")
        }
    }
}
