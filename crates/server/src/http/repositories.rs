//! `GET /repositories`

use super::App;
use super::problem::Problem;
use super::resources::Moment;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

/// The repositories used last, the latest first.
#[utoipa::path(get, path = "/repositories", operation_id = "list_repositories", tag = "server", responses((status = 200, body = RepositoryList)))]
pub(super) async fn handle(State(app): State<App>) -> Result<Json<RepositoryList>, Problem> {
    let recent = app.engine.repositories(RECENT).await?;
    let items = recent.into_iter().map(|(path, at)| Repository { path, last_used_at: Moment(at) });
    Ok(Json(RepositoryList { items: items.collect() }))
}
