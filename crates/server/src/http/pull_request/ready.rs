//! `POST /sessions/{id}/pull-request/ready`

use super::PullRequestStanding;
use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use lamplight_engine::PullRequestChange;

/// The session's pull request is a draft no longer. Asking again does no harm.
#[utoipa::path(post, path = "/sessions/{id}/pull-request/ready", operation_id = "mark_pull_request_ready", tag = "sessions",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = PullRequestStanding),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, no_pull_request"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "pull_request_closed, checks_running, no_forge, github_unauthorized, github_forbidden, github_not_found, github_refused, github_not_installed"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "github_limited"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "github_unreachable")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<PullRequestStanding>, Problem> {
    let change = PullRequestChange::Ready;
    Ok(Json(app.engine.change_pull_request(&id, change, by).await?.into()))
}
