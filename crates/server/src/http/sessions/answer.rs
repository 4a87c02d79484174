//! `POST /sessions/{id}/permission`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::audit::telling;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// As in the session's `permission`.
    pub request: Value,
    /// Id of one of the options; `null` cancels the request.
    pub option: Option<String>,
}

/// Answers what the agent asked for.
#[utoipa::path(post, path = "/sessions/{id}/permission", operation_id = "answer_permission", tag = "sessions", params(("id" = String, Path)), request_body = AnswerRequest,
    responses(
        (status = 200, body = SessionView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, option_not_offered"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "permission_not_open, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(request): extract::Json<AnswerRequest>,
) -> Result<Json<SessionView>, Problem> {
    let by = telling(by, request.option.as_deref().unwrap_or("cancelled"));
    Ok(Json(app.engine.answer(&id, request.request, request.option, by).await?.into()))
}
