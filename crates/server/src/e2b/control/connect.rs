//! `POST /sandboxes/{id}/connect`, in both versions, and `POST /sandboxes/{id}/resume`

use super::super::answer::Refused;
use super::{Mine, Terms, body, made, time};
use crate::http::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lamplight_engine::{Away, LentState};

/// Seconds, where nobody says.
const TIMEOUT: i64 = 300;

/// 200 of one that runs, whose time is never made shorter by this; 201 of one that goes on.
pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<Response, Refused> {
    let terms: Terms = body(request).await?;
    let time_ms = time(terms.timeout.unwrap_or(TIMEOUT))?;
    if terms.memory == Some(false) && sandbox.state == LentState::Paused {
        // It is to start anew from its files.
        app.engine.put_away_lent(&sandbox.id).await?;
    }
    let (sandbox, resumed) = app.engine.resume_lent(&sandbox.id, time_ms).await?;
    let status = if resumed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made(&app, &sandbox).await?)).into_response())
}

/// Of long ago: one that runs is refused.
pub(super) async fn resume(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<Response, Refused> {
    let terms: Terms = body(request).await?;
    if sandbox.state == LentState::Running {
        return Err(Refused::new(StatusCode::CONFLICT, "Sandbox is already running"));
    }
    let time_ms = time(terms.timeout.unwrap_or(TIMEOUT))?;
    let (sandbox, _) = app.engine.resume_lent(&sandbox.id, time_ms).await?;
    Ok((StatusCode::CREATED, Json(made(&app, &sandbox).await?)).into_response())
}

/// How a pause is asked for.
pub(super) fn away(memory: Option<bool>) -> Away {
    if memory == Some(false) { Away::FilesOnly } else { Away::InMemory }
}
