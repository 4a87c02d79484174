//! `POST /sessions/{id}/priority`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most that a session can be put before others, or behind them.
const MOST: i8 = 10;

/// How a session waits for a sandbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityRequest {
    /// From -10 to 10; 0 is usual. A step up is worth ten minutes of waiting.
    pub priority: i8,
}

/// Puts a session before others that wait for a sandbox, or behind them.
#[utoipa::path(post, path = "/sessions/{id}/priority", operation_id = "set_priority", tag = "sessions", params(("id" = String, Path)),
    request_body = PriorityRequest,
    responses(
        (status = 200, body = SessionView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(PriorityRequest { priority }): extract::Json<PriorityRequest>,
) -> Result<Json<SessionView>, Problem> {
    if !(-MOST..=MOST).contains(&priority) {
        return Err(Problem::invalid_request(format!(
            "priority is {priority}, and not from -{MOST} to {MOST}"
        )));
    }
    let view = app.engine.set_priority(&id, priority, by).await?;
    Ok(Json(queue::shown(&app, view)))
}
