//! `DELETE /sessions/{id}/terminals/{terminal}`

use super::session;
use crate::http::App;
use crate::http::access::By;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Ends a terminal's shell, as closing its window does. Of one that is gone is fine.
#[utoipa::path(delete, path = "/sessions/{id}/terminals/{terminal}", operation_id = "close_terminal", tag = "terminals",
    params(("id" = String, Path), ("terminal" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sandbox, sandbox_starting, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Path((id, terminal)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.engine.close_terminal(&session(&id)?, &terminal, by).await?;
    Ok(StatusCode::NO_CONTENT)
}
