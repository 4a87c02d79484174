//! `POST /sessions/{id}/unarchive`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;

/// Lists have the session again. Asking again changes nothing.
#[utoipa::path(post, path = "/sessions/{id}/unarchive", operation_id = "unarchive_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(app.engine.unarchive(&id, by).await?.into()))
}
