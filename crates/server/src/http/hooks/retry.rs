//! `POST /hooks/{id}/retry`

use crate::http::problem::Problem;
use crate::http::{App, extract};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Only this delivery, which may have come through; left out, all that were given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retried {
    /// How many deliveries are tried again.
    pub retried: usize,
}

/// Tries again, for another day, what was given up; an address that was disabled is told again.
#[utoipa::path(post, path = "/hooks/{id}/retry", operation_id = "retry_hook", tag = "hooks", params(("id" = String, Path)), request_body = RetryRequest,
    responses(
        (status = 200, body = Retried),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "hook_not_found, delivery_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
    extract::Json(request): extract::Json<RetryRequest>,
) -> Result<Json<Retried>, Problem> {
    Ok(Json(Retried { retried: app.engine.retry_hook(&id, request.delivery).await? }))
}
