//! `POST /hooks/{id}/test`

use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an address did with something that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookTest {
    /// Whether it took it.
    pub delivered: bool,
    /// In words.
    #[schema(example = "it answered 204")]
    pub outcome: String,
}

/// Sends the address a `hook.test`, signed as all else, once and now. Takes 15 s at most.
#[utoipa::path(post, path = "/hooks/{id}/test", operation_id = "test_hook", tag = "hooks", params(("id" = String, Path)),
    responses((status = 200, body = HookTest), (status = 404, body = Problem, content_type = "application/problem+json", description = "hook_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<HookTest>, Problem> {
    let test = app.engine.test_hook(&id).await?;
    Ok(Json(HookTest { delivered: test.came, outcome: test.outcome }))
}
