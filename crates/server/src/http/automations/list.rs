//! `GET /automations`

use super::Automation;
use crate::http::App;
use crate::http::access::{Caller, seen};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AutomationList {
    /// By name.
    pub items: Vec<Automation>,
}

/// The automations of repositories that one may see.
#[utoipa::path(get, path = "/automations", operation_id = "list_automations", tag = "automations",
    responses((status = 200, body = AutomationList)))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<AutomationList>, Problem> {
    let all = app.engine.automations().await?;
    let those = seen(&app, &caller, all, |automation| Some(&automation.repository)).await;
    let items = those.into_iter().map(|automation| Automation::of(automation, &caller)).collect();
    Ok(Json(AutomationList { items }))
}
