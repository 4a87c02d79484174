//! `GET /sessions/{id}/usage`

use crate::http::App;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use crate::http::resources::{Cost, Tokens};
use axum::Json;
use axum::extract::State;
use lamplight_engine::Spent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What models were asked for in one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionUsage {
    /// By turn, and in each by model.
    pub items: Vec<SessionUsageItem>,
}

/// One model in one turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionUsageItem {
    /// 0 before the first.
    pub turn: u32,
    pub model: String,
    /// Answers of the model.
    pub requests: u32,
    pub tokens: Tokens,
    pub cost: Cost,
}

/// What the session's models were asked for and what that cost, turn by turn.
#[utoipa::path(get, path = "/sessions/{id}/usage", operation_id = "session_usage", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = SessionUsage), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Id(id): Id,
) -> Result<Json<SessionUsage>, Problem> {
    let items = app.engine.spent(&id).await?.into_iter().map(SessionUsageItem::from).collect();
    Ok(Json(SessionUsage { items }))
}

impl From<Spent> for SessionUsageItem {
    fn from(spent: Spent) -> Self {
        Self {
            turn: spent.turn.0,
            model: spent.model,
            requests: spent.requests,
            tokens: spent.tokens.into(),
            cost: spent.cost.into(),
        }
    }
}
