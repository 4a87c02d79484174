//! `GET /attachments/{id}`

use super::harmless;
use crate::http::App;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;

/// What is in a file, harmless: images and plain text are shown by a browser, all else it can only save.
#[utoipa::path(get, path = "/attachments/{id}", operation_id = "show_attachment", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "attachment_not_found"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "storage_unavailable")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let (content, media_type) = app.engine.attachment(&id).await?;
    // The name is of the content, so it never changes; it is still nobody else's business.
    let caching = [(CACHE_CONTROL, "private, max-age=31536000, immutable")];
    Ok((harmless(media_type), caching, content))
}
