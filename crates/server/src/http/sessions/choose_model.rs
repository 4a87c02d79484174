//! `POST /sessions/{id}/model`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::audit::telling;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRequest {
    /// One of the session's `models`, by id, or `NAME/model` of an upstream that the configuration names.
    pub model: String,
}

/// Chooses the model for the next turns.
#[utoipa::path(post, path = "/sessions/{id}/model", operation_id = "choose_model", tag = "sessions", params(("id" = String, Path)), request_body = ModelRequest,
    responses(
        (status = 200, body = SessionView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, model_unknown, model_unreachable"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "turn_running, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(request): extract::Json<ModelRequest>,
) -> Result<Json<SessionView>, Problem> {
    let by = telling(by, &request.model);
    Ok(Json(app.engine.choose_model(&id, request.model, by).await?.into()))
}
