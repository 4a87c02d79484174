//! `GET /keys`

use super::Key;
use crate::http::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    pub items: Vec<Key>,
}

/// Every upstream of models, and the cloud where sandboxes are made in one, and where its key comes from; never any part of a key.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", responses((status = 200, body = KeyList)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Json<KeyList> {
    Json(KeyList { items: app.engine.keys().into_iter().map(Key::from).collect() })
}
