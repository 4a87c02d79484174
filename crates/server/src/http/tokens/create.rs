//! `POST /tokens`

use super::Token;
use crate::http::access::{Signed, no_more_than};
use crate::http::people::ScopeView;
use crate::http::problem::Problem;
use crate::http::{App, extract};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest that a token with an end counts, in seconds: ten years.
const LONGEST_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, at most 80 characters.
    pub name: String,
    pub scope: ScopeView,
    /// From now; left out, it counts until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

/// A new token, and its text, which is said this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub token: Token,
    #[schema(example = "lmp_…")]
    pub secret: String,
}

/// Makes a token of one's own.
#[utoipa::path(post, path = "/tokens", operation_id = "create_token", tag = "people", request_body = NewToken,
    responses(
        (status = 201, body = CreatedToken),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "scope_too_small: of the token that asks"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sign_in, too_many_tokens")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
    extract::Json(request): extract::Json<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    no_more_than(&known, request.scope.into())?;
    let seconds = request.expires_in_seconds;
    if seconds.is_some_and(|seconds| seconds == 0 || seconds > LONGEST_SECONDS) {
        return Err(Problem::invalid_request(format!("expires_in_seconds is 1 to {LONGEST_SECONDS}")));
    }
    let expires_ms = seconds.map(|seconds| seconds * 1000);
    let made = app.engine.create_token(&known.person.id, request.name, request.scope.into(), expires_ms);
    let (secret, credential) = made.await?;
    let token = Token::of(credential).ok_or_else(|| Problem::invalid_request("it is no token"))?;
    Ok((StatusCode::CREATED, Json(CreatedToken { token, secret })))
}
