//! `POST /sessions/{id}/question`

use crate::http::App;
use crate::http::access::Asks;
use crate::http::audit::telling;
use crate::http::extract::{self, Id};
use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use lamplight_domain::question::{FieldValue, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestionAnswer {
    /// As in the session's `question`.
    pub request: Value,
    pub action: QuestionAction,
    /// What was filled in, by the names of the fields; only with `accept`, and `null` is nothing.
    #[serde(default)]
    pub content: Option<BTreeMap<String, FieldValue>>,
}

/// `decline`: it stays unanswered, and the agent goes on. `cancel`: what the agent asked it for ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionAction {
    Accept,
    Decline,
    Cancel,
}

/// Answers a question of the agent's. What is filled in has to fit what was asked.
#[utoipa::path(post, path = "/sessions/{id}/question", operation_id = "answer_question", tag = "sessions", params(("id" = String, Path)), request_body = QuestionAnswer,
    responses(
        (status = 200, body = SessionView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, answer_does_not_fit"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "question_not_open, session_ended")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Asks(by): Asks,
    Id(id): Id,
    extract::Json(answer): extract::Json<QuestionAnswer>,
) -> Result<Json<SessionView>, Problem> {
    // What was filled in is in the session's log, and only there.
    let (told, reply) = match answer.action {
        QuestionAction::Accept => {
            ("accepted", Reply::Accepted { content: answer.content.unwrap_or_default() })
        }
        QuestionAction::Decline => ("declined", Reply::Declined),
        QuestionAction::Cancel => ("cancelled", Reply::Cancelled),
    };
    Ok(Json(app.engine.reply(&id, answer.request, reply, telling(by, told)).await?.into()))
}
