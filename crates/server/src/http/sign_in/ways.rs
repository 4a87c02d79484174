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
}

/// How somebody may sign in here. Anybody may ask.
#[utoipa::path(get, path = "/sign-in", operation_id = "show_ways", tag = "people", responses((status = 200, body = Ways)))]
pub(in crate::http) async fn handle(State(app): State<App>) -> Result<Json<Ways>, Problem> {
    let required = app.config.auth.required;
    let nobody_yet = required && app.engine.people().await?.is_empty();
    Ok(Json(Ways { required, nobody_yet }))
}
