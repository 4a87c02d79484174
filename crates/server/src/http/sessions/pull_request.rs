//! `POST /sessions/{id}/pull-request`

use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::PullRequest;
use axum::Json;
use axum::extract::State;

/// Pushes the session's branch to the GitHub repository that its repository is a clone of, and opens a draft pull request for it, or brings the
/// open one up to date. Asking again does no harm.
#[utoipa::path(post, path = "/sessions/{id}/pull-request", operation_id = "publish_pull_request", tag = "sessions",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = PullRequest),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "nothing_to_publish, merged_by_parent, no_forge, push_refused, branch_protected, github_unauthorized, github_forbidden, github_not_found, github_refused"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "github_limited"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "github_unreachable")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<PullRequest>, Problem> {
    Ok(Json(app.engine.publish(&id, by).await?.into()))
}
