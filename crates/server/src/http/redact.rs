//! No error says a secret, wherever it came from.

use super::App;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// All of ours are shorter.
const ERROR_BYTES: usize = 64 * 1024;

pub(crate) async fn redact(State(app): State<App>, request: Request, next: Next) -> Response {
    redacted(&app, next.run(request).await).await
}

pub(super) async fn redacted(app: &App, response: Response) -> Response {
    let redactor = app.engine.redaction().now();
    let status = response.status();
    if redactor.is_empty() || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(said) = to_bytes(body, ERROR_BYTES).await else {
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    };
    let text = String::from_utf8_lossy(&said);
    let clean = redactor.text(&text).into_owned();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(clean.len()));
    Response::from_parts(head, Body::from(clean))
}
