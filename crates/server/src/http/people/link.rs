//! `POST /people/{id}/link`

use super::{Once, may_touch};
use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use crate::http::resources::Moment;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Makes something that lets a known person in once, within a day: for who has no other way to sign in.
#[utoipa::path(post, path = "/people/{id}/link", operation_id = "make_link", tag = "people", params(("id" = String, Path)),
    responses(
        (status = 201, body = Once),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "role_too_low: a link of an owner is for owners"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "person_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Once>), Problem> {
    may_touch(&known, app.engine.person(&id).await?.role)?;
    let (secret, credential) = app.engine.link(&id).await?;
    let once = Once { id: credential.id, secret, expires_at: credential.expires_at.map(Moment) };
    Ok((StatusCode::CREATED, Json(once)))
}
