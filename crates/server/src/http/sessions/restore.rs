//! `POST /sessions/{id}/restore`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::audit::telling;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The checkpoint to go back to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    pub checkpoint: u32,
}

/// Makes the session's files what they were, and its conversation and commits with them. The next prompt goes on from there.
#[utoipa::path(post, path = "/sessions/{id}/restore", operation_id = "restore_session", tag = "sessions", params(("id" = String, Path)),
    request_body = RestoreRequest,
    responses(
        (status = 202, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, checkpoint_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "turn_running, restore_running, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(request): extract::Json<RestoreRequest>,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let by = telling(by, &format!("checkpoint {}", request.checkpoint));
    let view = app.engine.restore(&id, request.checkpoint, by).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}
