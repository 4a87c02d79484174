//! `DELETE /people/invitations/{id}`

use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use lamplight_engine::CommandError;

/// Takes an invitation back.
#[utoipa::path(delete, path = "/people/invitations/{id}", operation_id = "take_back_invitation", tag = "people", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "credential_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(_): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !app.engine.invitations().await?.iter().any(|invitation| invitation.id == id) {
        return Err(CommandError::invalid(
            "credential_not_found",
            "there is no such invitation",
            "List them and take an id from there; it may be used already.",
        )
        .into());
    }
    app.engine.revoke(&id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
