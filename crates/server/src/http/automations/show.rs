//! `GET /automations/{id}`

use super::{Automation, AutomationRun, seen};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Runs that are told of.
const RUNS: usize = 50;

/// An automation, and what came of its last times.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AutomationWithRuns {
    #[serde(flatten)]
    pub automation: Automation,
    /// The newest first; at most 50.
    pub runs: Vec<AutomationRun>,
}

/// One automation, with its last runs.
#[utoipa::path(get, path = "/automations/{id}", operation_id = "show_automation", tag = "automations", params(("id" = String, Path)),
    responses(
        (status = 200, body = AutomationWithRuns),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "repository_not_allowed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "automation_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AutomationWithRuns>, Problem> {
    // Before it, so that what is counted of them is no older than they are.
    let runs = app.engine.automation_runs(&id, RUNS).await?;
    let automation = Automation::of(seen(&app, &caller, &id).await?, &caller);
    Ok(Json(AutomationWithRuns { automation, runs: runs.into_iter().map(Into::into).collect() }))
}
