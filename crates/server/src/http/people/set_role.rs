//! `PUT /people/{id}/role`

use super::{PersonView, RoleView, may_touch};
use crate::http::access::Signed;
use crate::http::problem::Problem;
use crate::http::{App, extract};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    pub role: RoleView,
}

/// Gives somebody another role; what they have open is closed, and comes back as what they are now.
#[utoipa::path(put, path = "/people/{id}/role", operation_id = "set_role", tag = "people", params(("id" = String, Path)), request_body = RoleRequest,
    responses(
        (status = 200, body = PersonView),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "role_too_low: only an owner makes or changes an owner"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "person_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "last_owner")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    Path(id): Path<String>,
    extract::Json(request): extract::Json<RoleRequest>,
) -> Result<Json<PersonView>, Problem> {
    may_touch(&known, request.role.into())?;
    may_touch(&known, app.engine.person(&id).await?.role)?;
    let person = app.engine.set_role(&id, request.role.into()).await?;
    Ok(Json(PersonView::of(&app, person).await?))
}
