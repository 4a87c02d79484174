//! `GET /sessions/{id}/code`

use super::Code;
use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

/// Whether VS Code can be had in this session, and runs.
#[utoipa::path(get, path = "/sessions/{id}/code", operation_id = "show_code", tag = "code", params(("id" = String, Path)),
    responses(
        (status = 200, body = Code),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "sandbox_lost, sandbox_too_old")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<Code>, Problem> {
    let info = app.engine.code(&id).await?;
    Ok(Json(Code::new(info, id, &headers, app.config.server.preview_domain.as_deref())))
}
