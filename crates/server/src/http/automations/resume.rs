//! `POST /automations/{id}/resume`

use super::{Automation, theirs};
use crate::http::App;
use crate::http::access::{Caller, may_use};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};

/// Lets it run again from now on; what was missed stays missed, and failures are forgotten.
#[utoipa::path(post, path = "/automations/{id}/resume", operation_id = "resume_automation", tag = "automations", params(("id" = String, Path)),
    responses(
        (status = 200, body = Automation),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "timezone_unknown"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "automation_not_yours, repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "automation_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Automation>, Problem> {
    let automation = theirs(&app, &caller, &id).await?;
    may_use(&app, &caller, &app.engine.automation_works_in(&automation)).await?;
    Ok(Json(Automation::of(app.engine.resume_automation(&id).await?, &caller)))
}
