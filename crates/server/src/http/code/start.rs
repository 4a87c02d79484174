//! `POST /sessions/{id}/code`

use super::Code;
use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

/// Starts VS Code in the session's sandbox where it does not run, and waits until it can be opened. A paused sandbox goes on for it.
#[utoipa::path(post, path = "/sessions/{id}/code", operation_id = "start_code", tag = "code", params(("id" = String, Path)),
    responses(
        (status = 200, body = Code),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "code_not_installed, code_ended, code_port_taken, no_sandbox, sandbox_starting, sandbox_lost, sandbox_too_old, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<Code>, Problem> {
    app.engine.open_code(&id, by).await?;
    let info = app.engine.code(&id).await?;
    Ok(Json(Code::new(info, id, &headers, app.config.server.preview_domain.as_deref())))
}
