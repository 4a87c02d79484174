//! `GET /tokens`

use super::TokenList;
use crate::http::App;
use crate::http::access::Signed;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// One's own tokens that still count, the oldest first.
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "people",
    responses((status = 200, body = TokenList), (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sign_in")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
) -> Result<Json<TokenList>, Problem> {
    Ok(Json(app.engine.tokens(&known.person.id).await?.into()))
}
