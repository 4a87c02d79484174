//! `GET /sessions/{id}/attempts`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::queue;
use crate::http::resources::SessionView;
use axum::Json;
use axum::extract::State;
use lamplight_engine::{AttemptNow, Changed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Sessions with the same task, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptList {
    /// In their order; one that could not be begun is not there.
    pub items: Vec<Attempt>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub session: SessionView,
    /// Its branch against its base; `null` where git cannot say.
    pub changed: Option<ChangedLines>,
    /// What the agent said last, at most 4,000 characters; empty before it said anything.
    pub last_message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedLines {
    pub files: u32,
    pub insertions: u32,
    pub deletions: u32,
}

/// How all attempts stand that this session is among.
#[utoipa::path(get, path = "/sessions/{id}/attempts", operation_id = "list_attempts", tag = "sessions", params(("id" = String, Path)),
    responses(
        (status = 200, body = AttemptList),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "not_an_attempt")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<AttemptList>, Problem> {
    let attempts = app.engine.attempts(&id).await?;
    let items = attempts.into_iter().map(|AttemptNow { session, changed, said }| Attempt {
        session: queue::shown(&app, session),
        changed: changed.map(ChangedLines::from),
        last_message: said,
    });
    Ok(Json(AttemptList { items: items.collect() }))
}

impl From<Changed> for ChangedLines {
    fn from(Changed { files, insertions, deletions }: Changed) -> Self {
        Self { files, insertions, deletions }
    }
}
