//! `POST /keys/{name}/test`

use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use lamplight_engine::{Engine, FoundCloud, KeyName, Unlisted, UpstreamName};
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
    /// How many models it has; of an upstream of models.
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

/// Asks the upstream for its models, or the cloud for our sandboxes, with the key that there is now, which costs nothing. Takes 20 s at most.
#[utoipa::path(post, path = "/keys/{name}/test", operation_id = "test_key", tag = "keys", params(("name" = String, Path)),
    responses((status = 200, body = KeyTest), (status = 404, body = Problem, content_type = "application/problem+json", description = "upstream_unknown")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<KeyTest>, Problem> {
    let name = super::key(&app.engine, &name)?;
    Ok(Json(match name {
        KeyName::Models(name) => of_models(&app.engine, &name).await,
        KeyName::Cloud => of_cloud(&app.engine).await,
    }))
}

async fn of_models(engine: &Engine, name: &UpstreamName) -> KeyTest {
    let result = engine.test_key(name).await;
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
    KeyTest { name: name.to_string(), outcome, detail, status, models }
}

async fn of_cloud(engine: &Engine) -> KeyTest {
    let (outcome, detail) = match engine.test_cloud().await {
        None => {
            let detail = "no sandboxes are made in a cloud; sandbox.provider = \"e2b\" says so";
            (KeyOutcome::NotConfigured, detail.to_owned())
        }
        Some(cloud) => {
            let outcome = match cloud.found {
                FoundCloud::Well => KeyOutcome::Ok,
                FoundCloud::NoKey => KeyOutcome::NotConfigured,
                FoundCloud::Refused => KeyOutcome::Refused,
                FoundCloud::Unreachable => KeyOutcome::Unreachable,
                FoundCloud::Strange => KeyOutcome::Strange,
            };
            (outcome, cloud.detail)
        }
    };
    KeyTest { name: KeyName::Cloud.to_string(), outcome, detail, status: None, models: None }
}
