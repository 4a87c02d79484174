//! `POST /sessions/{id}/archive`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;

/// Lists leave the session out until it is put back, or prompted. Nothing else changes; asking again changes nothing.
#[utoipa::path(post, path = "/sessions/{id}/archive", operation_id = "archive_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(app.engine.archive(&id, by).await?.into()))
}
