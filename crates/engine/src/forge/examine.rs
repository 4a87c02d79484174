//! Whether what is configured of GitHub works, for `lamplight doctor`.

use crate::config::Config;
use crate::{git, pull_request};
use lamplight_integrations::github::{EVENTS, PERMISSIONS, Scope};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Clocks may differ by so much; statements of Apps are dated back by a minute.
const CLOCK_S: i64 = 30;
/// For git to say which branches there are.
const GIT_WAIT: Duration = Duration::from_secs(30);
/// Where deliveries are taken.
const HOOK_PATH: &str = "/github/webhooks";

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
    findings.extend(hook(github, config).await);
    findings.extend(deliveries(github, config).await);
    let names = config.forge.iter().flat_map(|forge| &forge.repositories);
    for (number, name) in names.enumerate() {
        let repository = repository(github, name).await;
        // Addresses are the same for all.
        let elsewhere = (number == 0).then(|| repository.as_ref().ok()).flatten();
        let reached = match elsewhere {
            Some(repository) => reach(github, repository).await,
            None => Vec::new(),
        };
        findings.push(match repository {
            Ok(repository) => well(format!("{repository} can be worked on")),
            Err(finding) => finding,
        });
        findings.extend(reached);
    }
    findings
}

/// GraphQL and git, each at an address of its own; nothing where both answer.
async fn reach(github: &GitHub, repository: &Repository) -> Vec<GitHubFinding> {
    let mut findings = Vec::new();
    if let Err(error) = github.reach_graphql(repository).await {
        findings.push(unwell(
            format!("{} does not answer as GraphQL: {error}", github.config().graphql),
            "correct github.graphql; without it no pull request is made ready",
        ));
    }
    if let Err(why) = reach_git(github, repository).await {
        findings.push(unwell(
            format!("{} cannot be read by git: {why}", github.git_address(repository)),
            "correct github.git, or give the token the right to read contents",
        ));
    }
    findings
}

async fn reach_git(github: &GitHub, repository: &Repository) -> Result<(), String> {
    let token = github.token(repository, Scope::Fetch).await.map_err(|error| error.to_string())?;
    let place = git::Place { address: &github.config().git, token: &token };
    let address = github.git_address(repository);
    let question = ["ls-remote", "--quiet", "--heads", &address];
    let asked = git::elsewhere(Path::new("/"), &place, &question);
    let output = tokio::time::timeout(GIT_WAIT, asked).await;
    let output = output.map_err(|_| format!("no answer within {} s", GIT_WAIT.as_secs()))?;
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(String::from_utf8_lossy(&output.stderr).lines().next_back().unwrap_or_default().to_owned())
        }
    }
}

async fn identity(github: &GitHub) -> GitHubFinding {
    let host = &github.config().host;
    let told = match github.identity().await {
        Ok(told) => told,
        Err(error @ GitHubError::AppUnauthorized { .. }) => {
            // Why GitHub does not take a statement it does not say.
            let ahead = github.clock_ahead_s().await.unwrap_or(None);
            return wrong_clock(host, ahead)
                .unwrap_or_else(|| unwell(error.to_string(), "correct github.app_id and the key"));
        }
        Err(error) => return unwell(error.to_string(), "correct [github]"),
    };
    if let Some(finding) = wrong_clock(host, told.clock_ahead_s) {
        return finding;
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
            "subscribe it to these events in its settings on GitHub; without them the server finds out by looking, later, or (push) not at all",
        ),
    }
}

fn wrong_clock(host: &str, ahead_s: Option<i64>) -> Option<GitHubFinding> {
    let ahead = ahead_s.filter(|ahead| ahead.abs() > CLOCK_S)?;
    let (far, which) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
    let detail = format!("this machine's clock is {far} s {which} {host}'s");
    Some(unwell(detail, "set the clock, for example with chrony"))
}

fn missing(permissions: &BTreeMap<String, String>) -> Vec<String> {
    let has = |name: &str, level: &str| {
        permissions.get(name).is_some_and(|given| given == level || given == "write" || given == "admin")
    };
    let lacks = PERMISSIONS.into_iter().filter(|(name, level)| !has(name, level));
    lacks.map(|(name, level)| format!("{name} ({level})")).collect()
}

/// Where an App's deliveries are sent; nothing where all is well with it.
async fn hook(github: &GitHub, config: &Config) -> Option<GitHubFinding> {
    let forge = config.forge.as_ref()?;
    let hook = match github.hook_config().await {
        Ok(hook) => hook?,
        Err(error) => return Some(unwell(error.to_string(), "see the App's settings on GitHub")),
    };
    let url = hook.url.as_deref().filter(|url| !url.is_empty())?;
    if forge.webhook_secret.is_none() {
        return Some(unwell(
            format!("the App's webhook sends to {url}, but this server has no secret and takes nothing"),
            "set github.webhook_secret_file, or GITHUB_WEBHOOK_SECRET, to the secret of the App's webhook",
        ));
    }
    let expected = format!("{}{HOOK_PATH}", forge.address);
    // Behind a proxy that nobody told us of it may be another host; never another path.
    let is_ours = if expected.starts_with("https://") { url == expected } else { url.ends_with(HOOK_PATH) };
    if !is_ours {
        return Some(unwell(
            format!("the App's webhook sends to {url}"),
            format!("let it send to {expected}, in the App's settings on GitHub"),
        ));
    }
    if hook.content_type.as_deref() != Some("json") {
        return Some(unwell(
            "the App's webhook sends forms, which this server does not read",
            "choose application/json in the App's settings on GitHub",
        ));
    }
    (!hook.is_checked()).then(|| {
        unwell(
            "GitHub does not look at the certificate of the webhook's address",
            "enable SSL verification in the App's settings on GitHub",
        )
    })
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

async fn repository(github: &GitHub, name: &str) -> Result<Repository, GitHubFinding> {
    let Some(repository) = github.repository(name) else {
        return Err(unwell(format!("{name} is no repository"), "correct github.repositories"));
    };
    match github.may_push(&repository).await {
        Ok(true) => Ok(repository),
        Ok(false) => Err(unwell(
            format!("{name} is archived, or the token may not push to it"),
            "take it out of github.repositories, or take a token that may push",
        )),
        Err(error) => Err(unwell(
            error.to_string(),
            "correct github.repositories, or give the token the right to read it",
        )),
    }
}
