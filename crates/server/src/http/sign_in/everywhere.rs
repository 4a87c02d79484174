//! `POST /sign-out/everywhere`

use crate::http::App;
use crate::http::access::{Signed, cookie};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

/// Signs one out of every browser; tokens stay.
#[utoipa::path(post, path = "/sign-out/everywhere", operation_id = "sign_out_everywhere", tag = "people",
    responses((status = 204), (status = 409, body = Problem, content_type = "application/problem+json", description = "no_sign_in")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Signed(known): Signed,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1]), Problem> {
    app.engine.sign_out_everywhere(&known.person.id).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::set(&app, None))]))
}
