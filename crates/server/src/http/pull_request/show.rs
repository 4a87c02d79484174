//! `GET /sessions/{id}/pull-request`

use super::PullRequestStanding;
use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// How the session's pull request stands on GitHub now. GitHub is asked each time.
#[utoipa::path(get, path = "/sessions/{id}/pull-request", operation_id = "show_pull_request", tag = "sessions",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = PullRequestStanding),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, no_pull_request"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "no_forge, github_unauthorized, github_forbidden, github_not_found, github_refused, github_not_installed"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "github_limited"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "github_unreachable")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<PullRequestStanding>, Problem> {
    Ok(Json(app.engine.pull_request_now(&id).await?.into()))
}
