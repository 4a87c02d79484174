//! `POST /sessions/{id}/take`

use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;

/// Takes this one of several attempts: it goes on as it is, the others stop, and end when their work is recorded. Taking it again is fine; taking
/// another one then is a conflict.
#[utoipa::path(post, path = "/sessions/{id}/take", operation_id = "take_attempt", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = SessionView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "not_an_attempt, attempt_taken, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<SessionView>, Problem> {
    let view = app.engine.take_attempt(&id, by).await?;
    Ok(Json(queue::shown(&app, view)))
}
