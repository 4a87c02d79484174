//! `GET /sessions/{id}/files/content`

use crate::http::App;
use crate::http::attachments::harmless;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use lamplight_engine::media_type;
use serde::Deserialize;
use std::fmt::Write;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Absolute in the sandbox, or below the repository.
    path: String,
    /// To be saved, whatever it is.
    #[serde(default)]
    download: bool,
}

/// A file of the session's sandbox, of at most 1 GiB, as it is. Links are followed inside of the sandbox. One that cannot be read to
/// its end breaks off.
#[utoipa::path(get, path = "/sessions/{id}/files/content", operation_id = "read_file", tag = "sessions", params(("id" = String, Path), Params),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "file_denied"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, file_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "file_unreadable, file_failed, sandbox_paused, sandbox_starting, no_sandbox, sandbox_lost")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
    Query(params): Query<Params>,
) -> Result<Response, Problem> {
    let mut reader = app.engine.file(&id, &params.path).await?;
    let first = reader.next().await.map_err(|error| lamplight_engine::CommandError::Failed(error.into()))?;
    let first = first.unwrap_or_default();
    let media_type = media_type(&first);
    let rest = stream::unfold(reader, |mut reader| async move {
        let piece = reader.next().await.transpose()?;
        Some((piece, reader))
    });
    let content = stream::once(async { Ok(first) }).chain(rest);
    let mut response = Body::from_stream(content).into_response();
    for (name, value) in harmless(media_type) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if params.download {
        let disposition = HeaderValue::from_str(&attachment(&params.path)).expect("ASCII without controls");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// RFC 6266, the name as RFC 8187 has it.
fn attachment(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut text = "attachment; filename*=UTF-8''".to_owned();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(byte.into()),
            other => write!(text, "%{other:02X}").expect("a String takes everything"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(
            attachment("/workspace/a b\r\n\";.txt"),
            "attachment; filename*=UTF-8''a%20b%0D%0A%22%3B.txt"
        );
        assert_eq!(attachment("größe"), "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe");
    }
}
