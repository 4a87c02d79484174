//! `POST /sessions/{id}/prompts`

use super::create::{fingerprint, idempotency_key, own};
use crate::http::App;
use crate::http::access::{Asks, Caller};
use crate::http::attachments::AttachRequest;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptRequest {
    /// May be empty where a file says it all.
    pub text: String,
    /// At most 10, uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachRequest>,
}

/// Where the prompt landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptAccepted {
    pub prompt: String,
    /// 0 when it is the next to be sent.
    pub position: usize,
}

/// Says something more to the agent. While a turn runs it waits for its end. With an `Idempotency-Key` the same request again, within a day, gives the prompt of the first.
#[utoipa::path(post, path = "/sessions/{id}/prompts", operation_id = "prompt_session", tag = "sessions", request_body = PromptRequest,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "Any text of at most 256 bytes; one per intended prompt")),
    responses(
        (status = 202, body = PromptAccepted),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, empty_prompt, too_many_attachments"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, attachment_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "session_ended"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "idempotency_key_reused"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "queue_full"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "storage_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Asks(by): Asks,
    Id(id): Id,
    headers: HeaderMap,
    extract::Json(request): extract::Json<PromptRequest>,
) -> Result<(StatusCode, Json<PromptAccepted>), Problem> {
    let key = idempotency_key(&headers)?.map(|key| own(&caller, key));
    let fingerprint = fingerprint(&(id.as_str(), &request));
    let once = key.as_ref().map(|key| (key.as_str(), fingerprint.as_str()));
    let attachments = request.attachments.into_iter().map(Into::into).collect();
    let placed = app.engine.prompt(&id, request.text, attachments, by, once).await?;
    let accepted = PromptAccepted { prompt: placed.prompt.into(), position: placed.position };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}
