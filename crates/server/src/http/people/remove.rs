//! `DELETE /people/{id}`

use super::may_touch;
use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Lets somebody in no more: their tokens and browsers do not count from now on, and sandboxes that are lent to them are taken back. What they did stays
/// theirs.
#[utoipa::path(delete, path = "/people/{id}", operation_id = "remove_person", tag = "people", params(("id" = String, Path)),
    responses(
        (status = 204),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "role_too_low: only an owner removes an owner"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "person_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "last_owner")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    may_touch(&known, app.engine.person(&id).await?.role)?;
    app.engine.remove_person(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
