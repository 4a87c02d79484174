//! `GET /sessions/{id}/terminals`

use super::TerminalList;
use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// The terminals in the sandbox, oldest first; none while no sandbox runs. Those of a paused one are there again when it goes on.
#[utoipa::path(get, path = "/sessions/{id}/terminals", operation_id = "list_terminals", tag = "terminals", params(("id" = String, Path)),
    responses((status = 200, body = TerminalList), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<TerminalList>, Problem> {
    let items = app.engine.terminals(&id).await?.into_iter().map(Into::into).collect();
    Ok(Json(TerminalList { items }))
}
