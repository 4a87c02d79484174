//! `POST /sessions/{id}/gateway-token`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What lets a program use the gateway as the session may.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayToken {
    /// Of the gateway: models are under `/openai/v1`, `/anthropic` and `/gemini`, git at `/git/repository.git`; it is the web proxy, too.
    pub url: String,
    /// For where a key or a password goes. Worth something while the session has a sandbox that runs, across restarts of the server.
    pub token: String,
}

/// By what the session is known to the gateway over TCP. Asking again gives the same.
#[utoipa::path(post, path = "/sessions/{id}/gateway-token", operation_id = "gateway_token", tag = "sessions",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = GatewayToken),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "gateway_not_served")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<GatewayToken>, Problem> {
    let token = app.engine.gateway_token(&id).await?;
    match (token, &app.gateway) {
        (Some(token), Some(url)) => Ok(Json(GatewayToken { url: url.clone(), token })),
        _ => Err(Problem::new(
            StatusCode::CONFLICT,
            "gateway_not_served",
            "the gateway is not reached over TCP here",
            "Set gateway.listen in the configuration, for example to 127.0.0.1:7412, and start the server again.",
        )),
    }
}
