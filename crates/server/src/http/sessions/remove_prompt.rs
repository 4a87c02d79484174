//! `DELETE /sessions/{id}/prompts/{prompt}`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use lamplight_domain::session::Refusal;
use lamplight_domain::{PromptId, SessionId};
use lamplight_engine::CommandError;

/// Takes back a prompt that has not been sent yet.
#[utoipa::path(delete, path = "/sessions/{id}/prompts/{prompt}", operation_id = "remove_prompt", tag = "sessions", params(("id" = String, Path), ("prompt" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, prompt_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Path((id, prompt)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let session: SessionId = id.parse().map_err(|_| Problem::session_not_found(&id))?;
    let prompt: PromptId = prompt.parse().map_err(|_| CommandError::Refused(Refusal::PromptNotFound))?;
    app.engine.remove_prompt(&session, &prompt, by).await?;
    Ok(StatusCode::NO_CONTENT)
}
