//! `POST /sessions/{id}/retry`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Asks once more what a turn was asked that is a dead letter (`dead`), before what else waits.
#[utoipa::path(post, path = "/sessions/{id}/retry", operation_id = "retry_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 202, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "nothing_to_retry, session_ended, budget_spent, month_budget_spent")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let view = app.engine.retry(&id, by).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}
