//! `PUT /sessions/{id}/prompts/{prompt}`

use super::prompt::PromptRequest;
use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use lamplight_domain::session::Refusal;
use lamplight_domain::{PromptId, SessionId};
use lamplight_engine::CommandError;

/// Changes what a prompt says that has not been sent yet; its place in the queue stays.
#[utoipa::path(put, path = "/sessions/{id}/prompts/{prompt}", operation_id = "edit_prompt", tag = "sessions", params(("id" = String, Path), ("prompt" = String, Path)), request_body = PromptRequest,
    responses(
        (status = 204),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, empty_prompt"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, prompt_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Path((id, prompt)): Path<(String, String)>,
    extract::Json(request): extract::Json<PromptRequest>,
) -> Result<StatusCode, Problem> {
    let session: SessionId = id.parse().map_err(|_| Problem::session_not_found(&id))?;
    let prompt: PromptId = prompt.parse().map_err(|_| CommandError::Refused(Refusal::PromptNotFound))?;
    app.engine.edit_prompt(&session, &prompt, request.text, by).await?;
    Ok(StatusCode::NO_CONTENT)
}
