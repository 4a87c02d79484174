//! `GET /sandboxes/{id}`

use super::super::answer::Refused;
use super::{Mine, SandboxInfo, detail, info};
use crate::http::App;
use axum::Json;
use axum::extract::State;

pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
) -> Result<Json<SandboxInfo>, Refused> {
    let detail = detail(&app, &sandbox).await?;
    Ok(Json(SandboxInfo { detail: Some(detail), ..info(&sandbox) }))
}
