//! How this server is connected to GitHub, as GitHub tells it at the moment of asking.

use super::examine::{GitHubFinding, examine};
use crate::Engine;
use crate::keys::without_key;
use lamplight_integrations::github::{Access, Limits};

/// Who asks GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHubConnection {
    App,
    /// Whoever the token belongs to.
    Token,
    /// There is neither.
    None,
}

/// What is so, and what `lamplight doctor` says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubStanding {
    pub connection: GitHubConnection,
    /// Deliveries are taken.
    pub webhooks: bool,
    /// From one look to the next; `None` where nobody looks.
    pub poll_seconds: Option<u64>,
    /// `owner/name` of those that work is taken from; empty: of all that something comes from.
    pub repositories: Vec<String>,
    /// Pull requests are opened as the person who began the session, where that can be.
    pub as_person: bool,
    pub findings: Vec<GitHubFinding>,
    /// Requests that are left, where GitHub says so.
    pub limits: Option<Limits>,
}

impl Engine {
    /// Asks GitHub; takes as long as that does.
    pub async fn github_standing(&self) -> GitHubStanding {
        let shared = &self.shared;
        let forge = shared.forge.as_ref().map(|forge| &forge.config);
        let repositories = forge.map(|forge| forge.repositories.clone()).unwrap_or_default();
        let mut standing = GitHubStanding {
            connection: GitHubConnection::None,
            webhooks: forge.is_some_and(|forge| forge.webhook_secret.is_some()),
            poll_seconds: forge.and_then(|forge| forge.poll).map(|poll| poll.as_secs()),
            repositories,
            as_person: shared.on_behalf.is_some(),
            findings: Vec::new(),
            limits: None,
        };
        let Some(github) = &shared.github else {
            standing.findings.extend(without_key(&shared.config));
            return standing;
        };
        standing.connection = match github.config().access {
            Access::App { .. } => GitHubConnection::App,
            Access::Token(_) => GitHubConnection::Token,
        };
        let first = standing.repositories.first().and_then(|name| github.repository(name));
        let (findings, limits) = tokio::join!(examine(github, &shared.config), github.limits(first.as_ref()));
        standing.findings = findings;
        // Why it could not be asked is among what was found.
        standing.limits = limits.ok().flatten();
        standing
    }
}
