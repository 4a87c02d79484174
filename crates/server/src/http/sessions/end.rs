//! `POST /sessions/{id}/end`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;

/// Ends the session for good: its sandbox is removed; its log and its branch stay.
#[utoipa::path(post, path = "/sessions/{id}/end", operation_id = "end_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "turn_running, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(app.engine.end(&id, by).await?.into()))
}
