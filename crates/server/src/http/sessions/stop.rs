//! `POST /sessions/{id}/stop`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Stops the running turn: within five seconds nothing of it runs.
#[utoipa::path(post, path = "/sessions/{id}/stop", operation_id = "stop_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 202, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "no_turn_running, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let view = app.engine.stop(&id, by).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}
