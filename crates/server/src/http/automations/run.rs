//! `POST /automations/{id}/run`

use super::{AutomationRun, theirs};
use crate::http::App;
use crate::http::access::{By, Caller, may_use};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Lets it run now, whether it is paused or not. Its session is there a moment later.
#[utoipa::path(post, path = "/automations/{id}/run", operation_id = "run_automation", tag = "automations", params(("id" = String, Path)),
    responses(
        (status = 202, body = AutomationRun),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "automation_not_yours, repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "automation_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "automation_running")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<AutomationRun>), Problem> {
    let automation = theirs(&app, &caller, &id).await?;
    may_use(&app, &caller, &app.engine.automation_works_in(&automation)).await?;
    let run = app.engine.run_automation(&id, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}
