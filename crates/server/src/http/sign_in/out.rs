//! `POST /sign-out`

use crate::http::App;
use crate::http::access::{Caller, cookie};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

/// Signs this browser out, or revokes the token that asks. Who is not in may, too.
#[utoipa::path(post, path = "/sign-out", operation_id = "sign_out", tag = "people", responses((status = 204)))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1]), Problem> {
    if let Some(known) = caller.known() {
        app.engine.revoke(&known.credential.id, Some(&known.person.id)).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::set(&app, None))]))
}
