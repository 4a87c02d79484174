//! `DELETE /hooks/{id}`

use super::told;
use crate::http::App;
use crate::http::audit::Told;
use crate::http::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Tells an address nothing more, and forgets what it was told.
#[utoipa::path(delete, path = "/hooks/{id}", operation_id = "remove_hook", tag = "hooks", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "hook_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Extension<Told>), Problem> {
    let removed = app.engine.remove_hook(&id).await?;
    Ok((StatusCode::NO_CONTENT, Extension(told(&removed))))
}
