//! `POST /github/webhooks`: what GitHub sends. It is not a part of the API: nobody but GitHub calls it, and it is known by its signature.

use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_engine::{CommandError, Delivered, GitHubDelivery, NotDelivered};
use serde::Serialize;

pub(in crate::http) const ROUTE: &str = "/github/webhooks";
/// GitHub sends nothing larger. Source: docs.github.com, "Webhook events and payloads", "Payload cap".
const LARGEST: usize = 25 * 1024 * 1024;
/// Of all deliveries that are being received, in KiB; whoever comes when it is used up waits.
pub(in crate::http) const ROOM_KIB: usize = 128 * 1024;
/// No id of a delivery and no name of an event is longer, in bytes.
const LONGEST_NAME: usize = 128;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, Serialize)]
struct Outcome {
    outcome: &'static str,
}

pub(in crate::http) async fn handle(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let id = name(&head.headers, "x-github-delivery")?;
    let event = name(&head.headers, "x-github-event")?;
    let signature = name(&head.headers, "x-hub-signature-256").map_err(|_| not_signed())?;
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "deliveries are taken as JSON",
            "Set the webhook's content type to application/json.",
        ));
    }
    let length = length(&head.headers)?;
    let room = u32::try_from(length / 1024 + 1).unwrap_or(u32::MAX);
    let _room = app.delivery_room.acquire_many(room).await.map_err(|_| unavailable())?;
    let body = to_bytes(body, length).await.map_err(|_| too_large())?;
    let delivery = GitHubDelivery { id: &id, event: &event, signature: &signature, body: &body };
    let outcome = match app.engine.deliver(delivery).await {
        Ok(Delivered::Stored) => "stored",
        Ok(Delivered::Known) => "known",
        Ok(Delivered::Ignored) => "ignored",
        Err(refused) => return Err(problem(refused)),
    };
    Ok((StatusCode::ACCEPTED, Json(Outcome { outcome })).into_response())
}

fn problem(refused: NotDelivered) -> Problem {
    match refused {
        NotDelivered::NotConfigured => Problem::new(
            StatusCode::NOT_FOUND,
            "webhooks_not_configured",
            "this server takes no deliveries from GitHub",
            "Configure [github] with an App or repositories, and the webhook's secret; see docs/configuration.md.",
        ),
        NotDelivered::NotSigned => not_signed(),
        NotDelivered::NotJson => Problem::invalid_request("the body is no JSON object"),
        NotDelivered::NotStored(
            error @ (CommandError::StorageFull
            | CommandError::Unreachable(_)
            | CommandError::Busy
            | CommandError::Moved
            | CommandError::Newer),
        ) => error.into(),
        NotDelivered::NotStored(error) => {
            tracing::error!(%error, "a delivery of GitHub's could not be stored");
            unavailable()
        }
    }
}

fn name(headers: &HeaderMap, name: &'static str) -> Result<String, Problem> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    match value.filter(|value| !value.is_empty() && value.len() <= LONGEST_NAME) {
        Some(value) => Ok(value.to_owned()),
        None => Err(Problem::invalid_request(format!("the header {name} is missing or no such"))),
    }
}

fn length(headers: &HeaderMap) -> Result<usize, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        Some(length) if length <= LARGEST => Ok(length),
        Some(_) => Err(too_large()),
        None => Err(Problem::new(
            StatusCode::LENGTH_REQUIRED,
            "length_required",
            "the length of the body is not said",
            "Send the header Content-Length.",
        )),
    }
}

fn too_large() -> Problem {
    let detail = format!("the body is larger than {LARGEST} bytes, or than it says");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail, "Nothing of it was taken.")
}

fn not_signed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "not_signed",
        "the signature is missing, or is not of these bytes with the secret that this server has",
        "Give the webhook on GitHub the secret that the server was started with.",
    )
}

fn unavailable() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_stored",
        "the delivery could not be stored",
        "Deliver it again.",
    )
}
