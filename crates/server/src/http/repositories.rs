//! `GET /repositories`

use super::App;
use super::access::{Caller, may_begin, seen};
use super::extract::Query;
use super::problem::Problem;
use super::resources::{Moment, Network};
use super::sessions::create::PermissionPolicy;
use axum::Json;
use axum::extract::State;
use lamplight_domain::permission::Policy;
use lamplight_engine::RepositoryConfig;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// No list of recent repositories is longer.
const RECENT: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryList {
    pub items: Vec<Repository>,
}

/// A repository that sessions worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// Absolute, on the server's machine.
    pub path: String,
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Moment,
    /// What the configuration says of it; `null` where that is nothing.
    pub configured: Option<RepositorySettings>,
}

/// What new sessions on a repository get where they do not say otherwise; `null` is as for every repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositorySettings {
    pub agent: Option<String>,
    pub permissions: Option<PermissionPolicy>,
    pub network: Option<Network>,
    pub image: Option<String>,
    /// Of each session, in millionths of a dollar; 0 is no bound.
    pub budget_micros: Option<u64>,
    /// Of all sessions on it in a calendar month (UTC), in millionths of a dollar; 0 is no bound.
    pub budget_month_micros: u64,
    /// Tool calls in a turn, at most.
    pub steps: Option<u32>,
}

/// What a repository offers to whoever writes a task for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryOffer {
    /// A text to begin with: `template` under `[task]` in its `.lamplight.toml`; `null` without one.
    pub template: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Absolute, on the server's machine.
    path: String,
}

/// What a repository offers to whoever writes a task for it.
#[utoipa::path(get, path = "/repositories/offer", operation_id = "show_offer", tag = "server", params(Asked),
    responses(
        (status = 200, body = RepositoryOffer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "repository_not_allowed")))]
pub(super) async fn offer(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<RepositoryOffer>, Problem> {
    if !asked.path.starts_with('/') {
        return Err(Problem::invalid_request("the path of a repository is absolute"));
    }
    may_begin(&app, &caller, &asked.path).await?;
    Ok(Json(RepositoryOffer { template: app.engine.task_template(&asked.path).await }))
}

/// The repositories used last, the latest first.
#[utoipa::path(get, path = "/repositories", operation_id = "list_repositories", tag = "server", responses((status = 200, body = RepositoryList)))]
pub(super) async fn handle(State(app): State<App>, caller: Caller) -> Result<Json<RepositoryList>, Problem> {
    let recent = app.engine.repositories(RECENT).await?;
    let recent = seen(&app, &caller, recent, |(path, _)| Some(path.as_str())).await;
    let items = recent.into_iter().map(|(path, at)| Repository {
        configured: app.engine.repository_config(&path).map(Into::into),
        path,
        last_used_at: Moment(at),
    });
    Ok(Json(RepositoryList { items: items.collect() }))
}

impl From<RepositoryConfig> for RepositorySettings {
    fn from(config: RepositoryConfig) -> Self {
        Self {
            agent: config.agent,
            permissions: config.permissions.map(|policy| match policy {
                Policy::Allow => PermissionPolicy::Allow,
                Policy::Ask => PermissionPolicy::Ask,
                Policy::Reject => PermissionPolicy::Reject,
            }),
            network: config.network.map(Network::from),
            image: config.image.map(|image| image.to_string()),
            budget_micros: config.limits.budget_micros,
            budget_month_micros: config.budget_month_micros,
            steps: config.limits.steps,
        }
    }
}
