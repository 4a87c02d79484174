//! `DELETE /tokens/{id}`

use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Revokes a token of one's own: from now on it does not count, and what is open by it is closed.
#[utoipa::path(delete, path = "/tokens/{id}", operation_id = "revoke_token", tag = "people", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "credential_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.engine.revoke(&id, Some(&known.person.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
