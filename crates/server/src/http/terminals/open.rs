//! `POST /sessions/{id}/terminals`

use super::Terminal;
use crate::http::App;
use crate::http::access::By;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lamplight_engine::TerminalSize;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How large it is at first, in characters.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTerminal {
    pub rows: u16,
    pub columns: u16,
}

/// Starts a shell in the session's sandbox, in the repository's folder. A paused sandbox goes on for it.
#[utoipa::path(post, path = "/sessions/{id}/terminals", operation_id = "open_terminal", tag = "terminals", params(("id" = String, Path)),
    request_body = OpenTerminal,
    responses(
        (status = 201, body = Terminal),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "no_sandbox, sandbox_starting, sandbox_lost, sandbox_too_old, too_many_terminals, terminal_refused, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
    extract::Json(request): extract::Json<OpenTerminal>,
) -> Result<(StatusCode, Json<Terminal>), Problem> {
    let size = TerminalSize { rows: request.rows, columns: request.columns };
    let opened = app.engine.open_terminal(&id, size, by).await?;
    Ok((StatusCode::CREATED, Json(opened.into())))
}
