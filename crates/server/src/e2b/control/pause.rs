//! `POST /sandboxes/{id}/pause`

use super::super::answer::Refused;
use super::connect::away;
use super::{Mine, Terms, body};
use crate::http::App;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use lamplight_engine::{CommandError, LentState};

pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<StatusCode, Refused> {
    let terms: Terms = body(request).await?;
    let name = super::name_of(&sandbox.id);
    let paused = || {
        let message = format!("Error pausing sandbox - sandbox '{name}' is already paused");
        Refused::new(StatusCode::CONFLICT, message)
    };
    if sandbox.state != LentState::Running {
        return Err(paused());
    }
    match app.engine.pause_lent(&sandbox.id, away(terms.memory)).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CommandError::Invalid { code: "sandbox_paused", .. }) => Err(paused()),
        Err(error) => Err(error.into()),
    }
}
