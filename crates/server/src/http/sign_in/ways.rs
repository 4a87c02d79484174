//! `GET /sign-in`

use crate::http::App;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How somebody may sign in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ways {
    /// Without, nobody has to.
    pub required: bool,
    /// Nobody is here yet: the server has printed a link for the first owner.
    pub nobody_yet: bool,
    /// What people call who signs them in by `POST /sign-in/oidc`; `null` where nobody does.
    pub oidc: Option<String>,
    /// Whether GitHub does, by `POST /sign-in/github`.
    pub github: bool,
}

/// How somebody may sign in here. Anybody may ask.
#[utoipa::path(get, path = "/sign-in", operation_id = "show_ways", tag = "people", responses((status = 200, body = Ways)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Result<Json<Ways>, Problem> {
    let required = app.config.auth.required;
    let nobody_yet = required && app.engine.people().await?.is_empty();
    let auth = &app.config.auth;
    let oidc = auth.oidc.as_ref().map(|oidc| oidc.name.clone().unwrap_or_else(|| oidc.issuer.clone()));
    Ok(Json(Ways { required, nobody_yet, oidc, github: auth.github.is_some() }))
}
