//! `GET /people/{id}/tokens` and `DELETE /people/{id}/tokens/{token}`: other people's tokens, for admins.

use super::may_touch;
use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use crate::http::tokens::TokenList;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// The tokens of somebody.
#[utoipa::path(get, path = "/people/{id}/tokens", operation_id = "list_tokens_of", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = TokenList), (status = 404, body = Problem, content_type = "application/problem+json", description = "person_not_found")))]
pub(in crate::http) async fn list(
    State(app): State<App>,
    Signed(_): Signed,
    Path(id): Path<String>,
) -> Result<Json<TokenList>, Problem> {
    let person = app.engine.person(&id).await?;
    Ok(Json(TokenList::from(app.engine.tokens(&person.id).await?)))
}

/// Revokes a token of somebody.
#[utoipa::path(delete, path = "/people/{id}/tokens/{token}", operation_id = "revoke_token_of", tag = "people", params(("id" = String, Path), ("token" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "person_not_found, credential_not_found")))]
pub(in crate::http) async fn revoke(
    State(app): State<App>,
    Signed(known): Signed,
    Path((id, token)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let person = app.engine.person(&id).await?;
    may_touch(&known, person.role)?;
    app.engine.revoke(&token, Some(&person.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
