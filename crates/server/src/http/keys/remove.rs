//! `DELETE /keys/{name}`

use super::Named;
use crate::http::App;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Forgets a stored key. A key in the server's environment is used again; what is of a GitHub App counts until the server's next start.
#[utoipa::path(delete, path = "/keys/{name}", operation_id = "remove_key", tag = "keys", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "upstream_unknown, key_not_stored")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let was_there = match super::named(&app.engine, &name)? {
        Named::Key(name) => app.engine.remove_key(name).await?,
        Named::GitHub(name) => app.engine.remove_github_secret(name).await?,
    };
    if was_there {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "key_not_stored",
        format!("no key is stored for {name}"),
        "Nothing; one that comes from the environment of the server has to be removed there.",
    ))
}
