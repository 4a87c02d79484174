//! `POST /sessions/{id}/prompts`

use crate::http::App;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptRequest {
    pub text: String,
}

/// Where the prompt landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptAccepted {
    pub prompt: String,
    /// 0 when it is the next to be sent.
    pub position: usize,
}

/// Says something more to the agent. While a turn runs it waits for its end.
#[utoipa::path(post, path = "/sessions/{id}/prompts", operation_id = "prompt_session", tag = "sessions", params(("id" = String, Path)), request_body = PromptRequest,
    responses(
        (status = 202, body = PromptAccepted),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, empty_prompt"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "queue_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    extract::Json(request): extract::Json<PromptRequest>,
) -> Result<(StatusCode, Json<PromptAccepted>), Problem> {
    let by = app.person().await.name.clone();
    let placed = app.engine.prompt(&id, request.text, by).await?;
    let accepted = PromptAccepted { prompt: placed.prompt.into(), position: placed.position };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}
