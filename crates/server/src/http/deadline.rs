//! No request waits for ever, neither for its client nor for us.

use super::problem::Problem;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// From a request's header to its answer's; longer than any session is waited for.
const ANSWER: Duration = Duration::from_secs(60);

pub(super) async fn in_time(answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(ANSWER, answer).await.unwrap_or_else(|_| {
        let detail = format!("the request was not complete or not answered within {} s", ANSWER.as_secs());
        let what_to_do = "Send the whole request at once; if it was, try again.";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail, what_to_do).into_response()
    })
}
