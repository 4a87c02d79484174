//! `PUT /keys/{name}`

use super::{Key, Named};
use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// A key, on its way in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// 8 to 4096 visible ASCII characters, of `github-app-key` a private key (PEM); white space around it does not count.
    pub key: String,
}

impl fmt::Debug for KeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRequest")
    }
}

/// Stores a key, encrypted, in place of the one that there was. Requests that begin from now on carry it; what is of a GitHub App counts from the
/// next start of the server.
#[utoipa::path(put, path = "/keys/{name}", operation_id = "set_key", tag = "keys", params(("name" = String, Path)), request_body = KeyRequest,
    responses(
        (status = 200, body = Key),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_request, key_unusable"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "upstream_unknown"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "secrets_key"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "storage_full")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Result<Json<KeyRequest>, JsonRejection>,
) -> Result<Json<Key>, Problem> {
    let name = super::named(&app.engine, &name)?;
    // What a parser says of a wrong body has parts of the body in it.
    let Json(request) = request
        .map_err(|_| Problem::invalid_request("the body has to be {\"key\": \"…\"}, as application/json"))?;
    Ok(Json(match name {
        Named::Key(name) => app.engine.set_key(name, &request.key).await?.into(),
        Named::GitHub(name) => {
            super::of_github(&app, app.engine.set_github_secret(name, &request.key).await?)
        }
    }))
}
