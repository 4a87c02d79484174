//! `PUT /sessions/{id}/files/content`

use super::Place;
use crate::http::App;
use crate::http::access::By;
use crate::http::audit::Told;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use futures::{Stream, StreamExt};
use lamplight_engine::UPLOAD_BYTES;

/// Makes or replaces a file in the session's sandbox, and the folders above it; the body is its content, at most 256 MiB. It is there
/// whole or not at all, and the log tells who did it.
#[utoipa::path(put, path = "/sessions/{id}/files/content", operation_id = "write_file", tag = "sessions", params(("id" = String, Path), Place),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 204),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "file_denied"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "file_failed, sandbox_paused, sandbox_starting, no_sandbox, sandbox_lost"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "file_too_large")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    Id(id): Id,
    Query(place): Query<Place>,
    body: Body,
) -> Result<(StatusCode, Extension<Told>), Problem> {
    let content = Box::pin(bounded(body));
    app.engine.upload_file(&id, &place.path, content, &by).await??;
    Ok((StatusCode::NO_CONTENT, Extension(Told(place.path))))
}

/// The body, as long as it is not too long.
fn bounded(body: Body) -> impl Stream<Item = Result<Bytes, Problem>> {
    let mut left = UPLOAD_BYTES;
    body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(|_| Problem::invalid_request("the body did not arrive whole"))?;
        left = left.checked_sub(piece.len() as u64).ok_or_else(too_large)?;
        Ok(piece)
    })
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "file_too_large",
        format!("at most {} MiB can be uploaded", UPLOAD_BYTES >> 20),
        "Upload it in parts, or let the agent fetch it.",
    )
}
