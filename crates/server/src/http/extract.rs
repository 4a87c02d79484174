//! Extractors whose refusals are problems.

use super::problem::Problem;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use lamplight_domain::SessionId;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(crate) struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = format!("the body is larger than {} bytes", super::BODY_LIMIT);
                let what_to_do = "Put long texts into a file of the repository and name it in the prompt.";
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail, what_to_do))
            }
            Err(error @ JsonRejection::MissingJsonContentType(_)) => {
                let what_to_do = "Send the header Content-Type: application/json.";
                Err(Problem::new(error.status(), "invalid_request", error.body_text(), what_to_do))
            }
            Err(error) => Err(Problem::invalid_request(error.body_text())),
        }
    }
}

/// Query parameters.
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error: QueryRejection| Problem::invalid_request(error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// The `{id}` of a path that has no other parameter. What is no id at all names no session.
pub(crate) struct Id(pub SessionId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::invalid_request(error.body_text()))?;
        text.parse().map(Self).map_err(|_| Problem::session_not_found(&text))
    }
}
