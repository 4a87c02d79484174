//! `POST /sessions/{id}/merge`

use crate::http::App;
use crate::http::access::By;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::Merged;
use axum::Json;
use axum::extract::State;

/// Merges the session's branch into its base, in the person's repository.
#[utoipa::path(post, path = "/sessions/{id}/merge", operation_id = "merge_session", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = Merged),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "merge_conflict, nothing_to_merge, merged_by_parent, turn_running")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<Merged>, Problem> {
    let merged = app.engine.merge(&id, by).await?;
    Ok(Json(Merged { into: merged.into, commit: merged.commit }))
}
