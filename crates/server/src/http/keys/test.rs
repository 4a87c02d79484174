//! `POST /keys/{name}/test`

use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use lamplight_engine::Unlisted;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an upstream said to its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyTest {
    pub name: String,
    pub outcome: KeyOutcome,
    /// In words, without anything of the key.
    pub detail: String,
    /// The HTTP status with which the upstream refused.
    pub status: Option<u16>,
    /// How many models it has.
    pub models: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyOutcome {
    Ok,
    Refused,
    Unreachable,
    /// Whoever answers there does not speak this protocol.
    Strange,
    NotConfigured,
}

/// Asks the upstream for its models with the key that there is now, which costs nothing. Takes 10 s at most.
#[utoipa::path(post, path = "/keys/{name}/test", operation_id = "test_key", tag = "keys", params(("name" = String, Path)),
    responses((status = 200, body = KeyTest), (status = 404, body = Problem, content_type = "application/problem+json", description = "upstream_unknown")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<KeyTest>, Problem> {
    let name = super::upstream(&name)?;
    let result = app.engine.test_key(name).await;
    let (outcome, status, models) = match &result {
        Ok(models) => (KeyOutcome::Ok, None, Some(*models)),
        Err(Unlisted::Refused { status, .. }) => (KeyOutcome::Refused, Some(*status), None),
        Err(Unlisted::Unreachable { .. }) => (KeyOutcome::Unreachable, None, None),
        Err(Unlisted::Strange { .. }) => (KeyOutcome::Strange, None, None),
        Err(Unlisted::NotConfigured) => (KeyOutcome::NotConfigured, None, None),
    };
    let detail = match result {
        Ok(models) => format!("ok, {models} models"),
        Err(unlisted) => unlisted.to_string(),
    };
    Ok(Json(KeyTest { name: name.to_string(), outcome, detail, status, models }))
}
