//! `POST /automations/{id}/pause`

use super::{Automation, theirs};
use crate::http::App;
use crate::http::access::{By, Caller};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};

/// Lets it run no more until it is resumed. What is at work goes on.
#[utoipa::path(post, path = "/automations/{id}/pause", operation_id = "pause_automation", tag = "automations", params(("id" = String, Path)),
    responses(
        (status = 200, body = Automation),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "automation_not_yours, repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "automation_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Automation>, Problem> {
    theirs(&app, &caller, &id).await?;
    Ok(Json(Automation::of(app.engine.pause_automation(&id, &by).await?, &caller)))
}
