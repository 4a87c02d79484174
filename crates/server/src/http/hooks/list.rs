//! `GET /hooks`

use super::Hook;
use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookList {
    pub items: Vec<Hook>,
}

/// Addresses that are told what happens to sessions, the oldest first; never any part of a secret.
#[utoipa::path(get, path = "/hooks", operation_id = "list_hooks", tag = "hooks", responses((status = 200, body = HookList)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Result<Json<HookList>, Problem> {
    Ok(Json(HookList { items: app.engine.hooks().await?.into_iter().map(Hook::from).collect() }))
}
