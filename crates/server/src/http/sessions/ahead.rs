//! `POST /sessions/ahead`

use super::create::{NewSessionRequest, may_make};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::extract;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lamplight_engine::{Ahead, CommandError};
use serde::Serialize;
use utoipa::ToSchema;

/// How it stands with what the session would wait for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AheadState {
    /// It is there.
    Ready,
    /// It is being made.
    Begun,
    /// It is not, and is not being made.
    No,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AheadResponse {
    pub state: AheadState,
    /// Why it is not: also what would keep the session from being created as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Somebody is about to start a session like this: what it would wait for, clone and setup, is made in the background. The prompt and
/// the attachments are not looked at, and nothing is started; asking again changes nothing.
#[utoipa::path(post, path = "/sessions/ahead", operation_id = "prepare_ahead", tag = "sessions", request_body = NewSessionRequest,
    responses(
        (status = 202, body = AheadResponse),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    extract::Json(request): extract::Json<NewSessionRequest>,
) -> Result<(StatusCode, Json<AheadResponse>), Problem> {
    let new = request.into_new(&app, &caller).await?;
    if let Err(problem) = may_make(&app, &caller, &new).await {
        // Half of what is written may name nothing that they may use yet.
        let why = Some(problem.detail.into());
        return Ok((StatusCode::ACCEPTED, Json(AheadResponse { state: AheadState::No, why })));
    }
    let (state, why) = match app.engine.ahead(new).await {
        Ok(Ahead::Ready) => (AheadState::Ready, None),
        Ok(Ahead::Begun) => (AheadState::Begun, None),
        Ok(Ahead::No { why }) => (AheadState::No, Some(why.to_owned())),
        // Half of what is written may name nothing yet.
        Err(wrong @ CommandError::Invalid { .. }) => (AheadState::No, Some(wrong.to_string())),
        Err(error) => return Err(error.into()),
    };
    Ok((StatusCode::ACCEPTED, Json(AheadResponse { state, why })))
}
