//! `POST /people/invitations`

use super::{Once, RoleView, may_touch};
use crate::http::access::Signed;
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use crate::http::{App, extract};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// As what somebody comes in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    pub role: RoleView,
}

/// Makes an invitation: whoever has its secret comes in once, within a day.
#[utoipa::path(post, path = "/people/invitations", operation_id = "invite_person", tag = "people", request_body = InviteRequest,
    responses(
        (status = 201, body = Once),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "role_too_low: only an owner invites owners")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    extract::Json(request): extract::Json<InviteRequest>,
) -> Result<(StatusCode, Json<Once>), Problem> {
    may_touch(&known, request.role.into())?;
    let (secret, credential) = app.engine.invite(request.role.into(), known.person.name.clone()).await?;
    let once = Once { id: credential.id, secret, expires_at: credential.expires_at.map(Moment) };
    Ok((StatusCode::CREATED, Json(once)))
}
