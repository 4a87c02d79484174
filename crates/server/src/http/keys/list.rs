//! `GET /keys`

use super::Key;
use crate::http::App;
use axum::Json;
use axum::extract::State;
use lamplight_engine::{GitHubSecret, GitHubSecretInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    pub items: Vec<Key>,
    /// What of a GitHub App is secret. What is stored counts from the next start of the server.
    #[serde(default)]
    pub github: Vec<Key>,
}

/// Every upstream of models, and the cloud where sandboxes are made in one, and where its key comes from; never any part of a key.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", responses((status = 200, body = KeyList)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Json<KeyList> {
    let is_app = app.config.github.app_id.is_some();
    // Of what nobody would look for, nothing is said.
    let is_told = |info: &GitHubSecretInfo| {
        info.set_at.is_some() || info.is_configured || is_app && info.name == GitHubSecret::AppKey
    };
    let github = app.engine.github_secrets().into_iter().filter(is_told);
    let github = github.map(|info| super::of_github(&app, info));
    Json(KeyList { items: app.engine.keys().into_iter().map(Key::from).collect(), github: github.collect() })
}
