//! Errors as people and programs read them: `application/problem+json` (RFC 9457) with a stable `code` and what to do.

use axum::Extension;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// On an answer: the `code` of its problem.
#[derive(Debug, Clone)]
pub(in crate::http) struct Code(pub Cow<'static, str>);

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells the kinds apart.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The HTTP status in words.
    pub title: Cow<'static, str>,
    pub status: u16,
    /// Stable, for programs.
    #[schema(example = "session_not_found")]
    pub code: Cow<'static, str>,
    /// What is wrong with this request.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    pub what_to_do: Cow<'static, str>,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Box<str>>,
        what_to_do: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            code: code.into(),
            detail: detail.into(),
            what_to_do: what_to_do.into(),
        }
    }

    pub fn invalid_request(detail: impl Into<Box<str>>) -> Self {
        let what_to_do = "Correct the request; /api/v1/openapi.json describes it.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail, what_to_do)
    }

    pub fn session_not_found(id: &str) -> Self {
        let detail = format!("there is no session {id}");
        Self::new(
            StatusCode::NOT_FOUND,
            "session_not_found",
            detail,
            "List the sessions and take an id from there.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem is strings and a number");
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], Extension(Code(self.code)), body).into_response()
    }
}
