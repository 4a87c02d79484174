//! Errors in E2B's words.

use crate::http::audit::Stranger;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lamplight_e2b::control;
use lamplight_engine::CommandError;

/// Tells newer clients not to try again by themselves.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("should-retry");

/// Why something was not done. Clients branch on the number in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn unsupported(what: &str) -> Self {
        Self::bad_request(format!("{what} is not supported by this server"))
    }

    pub(super) fn no_sandbox(name: &str) -> Self {
        let message = format!("Sandbox \"{name}\" doesn't exist or you don't have access to it");
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl From<Refused> for control::Error {
    fn from(Refused { status, message }: Refused) -> Self {
        Self { code: status.as_u16(), message }
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotFound => Self::new(StatusCode::NOT_FOUND, "Sandbox not found"),
            CommandError::Invalid { code: "no_place", message, what_to_do } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, format!("{message}. {what_to_do}"))
            }
            CommandError::Invalid { code: "image_unknown", message, .. } => {
                Self::new(StatusCode::NOT_FOUND, message)
            }
            CommandError::Invalid {
                code: "sandbox_paused" | "template_building" | "template_begun",
                message,
                ..
            } => Self::new(StatusCode::CONFLICT, message),
            CommandError::Invalid { code: "sandboxes_exhausted", message, what_to_do } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("{message}. {what_to_do}"))
            }
            CommandError::Invalid { message, what_to_do, .. } => {
                Self::bad_request(format!("{message}. {what_to_do}"))
            }
            CommandError::Refused(refusal) => Self::new(StatusCode::CONFLICT, refusal.to_string()),
            CommandError::Busy | CommandError::Moved | CommandError::Newer => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the sandbox does not answer; try again")
            }
            CommandError::Unreachable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database of this server cannot be reached; try again",
            ),
            CommandError::StorageUnavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the object store of this server cannot be used; try again",
            ),
            CommandError::StorageFull => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "the disk of this server is full")
            }
            CommandError::Failed(error) => {
                tracing::error!(error = format!("{error:#}"), "a request of an E2B client failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "something went wrong in this server; see its log",
                )
            }
        }
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Refused {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status;
        let body = Json(control::Error::from(self));
        match status {
            StatusCode::UNAUTHORIZED => (status, Extension(Stranger), body).into_response(),
            // A place comes free when somebody ends something, not by asking again.
            StatusCode::TOO_MANY_REQUESTS => {
                (status, [(SHOULD_RETRY, HeaderValue::from_static("false"))], body).into_response()
            }
            _ => (status, body).into_response(),
        }
    }
}
