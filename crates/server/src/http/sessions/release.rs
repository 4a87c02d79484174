//! `POST /sessions/{id}/release`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Stops the session's sandbox between turns: everything in it is ended, its files are kept, and the next prompt starts one with them.
#[utoipa::path(post, path = "/sessions/{id}/release", operation_id = "release_sandbox", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 202, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "turn_running, restore_running, sandbox_starting, no_sandbox, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let view = app.engine.release(&id, by).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}
