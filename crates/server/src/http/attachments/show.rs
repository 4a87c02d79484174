//! `GET /attachments/{id}`

use crate::http::App;
use crate::http::problem::Problem;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// Whatever it is, nothing in it runs or loads anything, also when it is opened by itself.
const NOTHING: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What is in a file. Images and plain text are shown by a browser; all else, documents that could run something among them, it
/// can only save.
#[utoipa::path(get, path = "/attachments/{id}", operation_id = "show_attachment", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "attachment_not_found")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, &'static str); 4], Bytes), Problem> {
    let (content, media_type) = app.engine.attachment(&id).await?;
    Ok((headers(media_type), content))
}

fn headers(media_type: &'static str) -> [(HeaderName, &'static str); 4] {
    let (shown, disposition) = match media_type {
        "text/plain" => ("text/plain; charset=utf-8", "inline"),
        image if image.starts_with("image/") => (image, "inline"),
        _ => ("application/octet-stream", "attachment"),
    };
    [
        (CONTENT_TYPE, shown),
        (CONTENT_DISPOSITION, disposition),
        (CONTENT_SECURITY_POLICY, NOTHING),
        // The name is of the content, so it never changes; it is still nobody else's business.
        (CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ]
}
