//! `POST /hooks`

use super::{Hook, told};
use crate::http::access::By;
use crate::http::problem::Problem;
use crate::http::{App, extract};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lamplight_engine::{HookListed, NoticeKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHookRequest {
    /// Begins with `https://`, and is no private address; `hooks.allow_private` in the configuration names those that may be told all the same.
    pub url: String,
    /// What it is told of; left out, everything: `session.queued`, `turn.started`, `person.needed`, `turn.ended`, `turn.failed`,
    /// `turn.tripped`, `work.committed`, `pull_request.published`.
    #[serde(default)]
    pub events: Vec<String>,
}

/// A new hook, and its secret, which is said this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AddedHook {
    #[serde(flatten)]
    pub hook: Hook,
    /// What its deliveries are signed with, as the Standard Webhooks specification writes it.
    #[schema(example = "whsec_…")]
    pub secret: String,
}

/// Has an address told what happens to sessions from now on.
#[utoipa::path(post, path = "/hooks", operation_id = "add_hook", tag = "hooks", request_body = NewHookRequest,
    responses(
        (status = 201, body = AddedHook),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, hook_url_unusable, hook_event_unknown"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "too_many_hooks, secrets_key")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    extract::Json(request): extract::Json<NewHookRequest>,
) -> Result<Response, Problem> {
    let kinds: Result<Vec<NoticeKind>, Problem> = request.events.iter().map(|event| kind(event)).collect();
    let made = app.engine.add_hook(request.url, kinds?, by).await?;
    let location = format!("/api/v1/hooks/{}", made.hook.id);
    let told = Extension(told(&made.hook));
    let hook = Hook::from(HookListed { hook: made.hook, waiting: 0, dead: 0 });
    let added = AddedHook { hook, secret: made.secret.expose().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], told, Json(added)).into_response())
}

fn kind(event: &str) -> Result<NoticeKind, Problem> {
    event.parse().map_err(|_| {
        let detail = format!("{event:?} is none of {}", NoticeKind::all_in_words());
        Problem::new(
            StatusCode::BAD_REQUEST,
            "hook_event_unknown",
            detail,
            "Take some of these, or none for all.",
        )
    })
}
