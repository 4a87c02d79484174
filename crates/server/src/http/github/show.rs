//! `GET /github`

use crate::http::App;
use crate::http::resources::Moment;
use axum::Json;
use axum::extract::State;
use lamplight_domain::Timestamp;
use lamplight_engine::{GitHubFinding, GitHubLimits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How this server is connected to GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GitHubStanding {
    pub connection: GitHubConnection,
    /// Which GitHub, such as `github.com`.
    pub host: String,
    /// What happens there is sent here.
    pub webhooks: bool,
    /// How often it is looked for; `null` where it is not.
    pub poll_seconds: Option<u64>,
    /// `owner/name` of those that work is taken from; empty: of all that something comes from.
    pub repositories: Vec<String>,
    /// Pull requests are opened as the person who began the session, where they signed in by a GitHub App.
    pub as_person: bool,
    /// What `lamplight doctor` says of it.
    pub findings: Vec<Finding>,
    /// Requests that GitHub still takes; `null` where that is not known.
    pub limits: Option<RequestsLeft>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GitHubConnection {
    App,
    /// As whoever the token belongs to.
    Token,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    pub is_well: bool,
    pub detail: String,
    pub what_to_do: Option<String>,
}

/// Of the REST interface, in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestsLeft {
    pub limit: u64,
    pub remaining: u64,
    /// When there are as many again.
    #[schema(value_type = String, format = DateTime)]
    pub resets_at: Moment,
}

/// How this server is connected to GitHub, and how that stands: GitHub is asked for it.
#[utoipa::path(get, path = "/github", operation_id = "show_github", tag = "server", responses((status = 200, body = GitHubStanding)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Json<GitHubStanding> {
    let standing = app.engine.github_standing().await;
    Json(GitHubStanding {
        connection: match standing.connection {
            lamplight_engine::GitHubConnection::App => GitHubConnection::App,
            lamplight_engine::GitHubConnection::Token => GitHubConnection::Token,
            lamplight_engine::GitHubConnection::None => GitHubConnection::None,
        },
        host: app.config.github.host.clone(),
        webhooks: standing.webhooks,
        poll_seconds: standing.poll_seconds,
        repositories: standing.repositories,
        as_person: standing.as_person,
        findings: standing.findings.into_iter().map(Finding::from).collect(),
        limits: standing.limits.map(RequestsLeft::from),
    })
}

impl From<GitHubFinding> for Finding {
    fn from(found: GitHubFinding) -> Self {
        Self { is_well: found.is_well, detail: found.detail, what_to_do: found.remedy }
    }
}

impl From<GitHubLimits> for RequestsLeft {
    fn from(limits: GitHubLimits) -> Self {
        let resets_at = Moment(Timestamp(i64::try_from(limits.resets_s).unwrap_or(0).saturating_mul(1000)));
        Self { limit: limits.limit, remaining: limits.remaining, resets_at }
    }
}
