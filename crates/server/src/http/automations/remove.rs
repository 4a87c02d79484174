//! `DELETE /automations/{id}`

use super::theirs;
use crate::http::App;
use crate::http::access::Caller;
use crate::http::audit::Told;
use crate::http::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

/// Removes it, with what is known of its runs. Their sessions stay.
#[utoipa::path(delete, path = "/automations/{id}", operation_id = "remove_automation", tag = "automations", params(("id" = String, Path)),
    responses(
        (status = 204),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "automation_not_yours, repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "automation_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let automation = theirs(&app, &caller, &id).await?;
    app.engine.remove_automation(&id).await?;
    // Nothing else says which it was.
    Ok((StatusCode::NO_CONTENT, Extension(Told(automation.name))))
}
