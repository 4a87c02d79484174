//! `POST /attachments`

use super::Attachment;
use crate::http::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use lamplight_engine::ATTACHMENT_BYTES;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

/// Files that are in memory at a time, because they are on their way to the disk; who comes then waits.
static UPLOADS: Semaphore = Semaphore::const_new(4);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// What it is called; only its last part counts, and of that what is fit for a file's name.
    name: String,
}

/// Takes a file of at most 10 MiB, which a prompt has to name within a day; the body is its content, whatever its type.
#[utoipa::path(post, path = "/attachments", operation_id = "upload_attachment", tag = "sessions", params(Params),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = Attachment),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "attachment_too_large"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "uploads_full"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "storage_unavailable"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "storage_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Query(params): Query<Params>,
    body: Body,
) -> Result<(StatusCode, Json<Attachment>), Problem> {
    let _place = UPLOADS.acquire().await;
    let content = to_bytes(body, ATTACHMENT_BYTES).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "attachment_too_large",
            format!(
                "at most {} MiB can be attached, and this file has more or did not arrive whole",
                ATTACHMENT_BYTES >> 20
            ),
            "Attach a part of it, or upload it into the sandbox once that runs.",
        )
    })?;
    let attachment = app.engine.upload(&params.name, content).await?;
    Ok((StatusCode::CREATED, Json(attachment.into())))
}
