//! `GET /sessions/{id}`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;

/// Everything about one session but its log.
#[utoipa::path(get, path = "/sessions/{id}", operation_id = "show_session", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = SessionView), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(queue::shown(&app, app.engine.view(&id).await?)))
}
