//! `POST /sessions/{id}/continue`

use crate::http::App;
use crate::http::access::{By, Caller};
use crate::http::attachments::AttachRequest;
use crate::http::audit::Told;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use lamplight_domain::TurnNumber;
use lamplight_domain::session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is to go on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContinueRequest {
    /// The turn that the session's `tripped` names. With the same turn again nothing is continued twice.
    pub turn: u32,
    /// What the agent is told. Without it, to go on with what was interrupted; where nothing was, the first prompt that waits. What is said with a
    /// turn that was continued before is refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// At most 10, uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachRequest>,
}

/// Lets a session go on once past the guard that keeps it from going on: until the end of the next turn the guard allows the same again, but no
/// more than it would allow in a session of whoever asks.
#[utoipa::path(post, path = "/sessions/{id}/continue", operation_id = "continue_session", tag = "sessions", params(("id" = String, Path)),
    request_body = ContinueRequest,
    responses(
        (status = 202, body = SessionView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, too_many_attachments"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "role_too_low: the session's budget is for admins"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "session_not_found, attachment_not_found"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "nothing_to_continue, cannot_be_continued, turn_running, month_budget_spent, session_ended"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "queue_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
    By(by): By,
    Id(id): Id,
    extract::Json(request): extract::Json<ContinueRequest>,
) -> Result<(StatusCode, Extension<Told>, Json<SessionView>), Problem> {
    let turn = TurnNumber(request.turn);
    let attachments = request.attachments.into_iter().map(Into::into).collect();
    let view = app.engine.continue_once(&id, turn, request.text, attachments, by, caller.role()).await?;
    let told = Told(told(turn, &view));
    Ok((StatusCode::ACCEPTED, Extension(told), Json(view.into())))
}

/// Which guards allow more now, and how much.
fn told(turn: TurnNumber, view: &session::SessionView) -> String {
    let raised = view.guards.iter().filter(|guard| guard.is_raised);
    let raised: Vec<_> =
        raised.map(|raised| format!("{} to {}", raised.guard.code(), raised.limit)).collect();
    format!(
        "after turn {turn}: {}",
        if raised.is_empty() { "nothing to raise".to_owned() } else { raised.join(", ") }
    )
}
