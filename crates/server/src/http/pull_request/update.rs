//! `POST /sessions/{id}/pull-request/update`

use super::PullRequestStanding;
use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// Merges its base, and what people have pushed to it, into the branch of the session's pull request; not while a turn runs. The session goes
/// on from there. Asking again does no harm.
#[utoipa::path(post, path = "/sessions/{id}/pull-request/update", operation_id = "update_pull_request", tag = "sessions",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = PullRequestStanding),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, no_pull_request"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "turn_running, merge_conflict, branch_diverged, branch_moved, restore_running, push_refused, branch_protected, fetch_failed, pull_request_closed, pull_request_of_fork, session_ended, no_forge, github_unauthorized, github_forbidden, github_not_found, github_refused, github_not_installed"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "github_limited"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "github_unreachable")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<PullRequestStanding>, Problem> {
    Ok(Json(app.engine.update_branch(&id, by).await?.into()))
}
