//! `POST /sessions/{id}/pause`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Lets everything in the sandbox stand still, in memory, in the middle of a turn too.
#[utoipa::path(post, path = "/sessions/{id}/pause", operation_id = "pause_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 202, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "nothing_to_pause, turn_stopping, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let view = app.engine.pause(&id, by).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}
