//! `POST /sandboxes/{id}/timeout` and `POST /sandboxes/{id}/refreshes`

use super::super::answer::Refused;
use super::{Mine, Terms, body, name_of, time};
use crate::http::App;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use lamplight_engine::LentState;

/// The longest refresh, in seconds; where nobody says, it is of the second.
const LONGEST_REFRESH: i64 = 3600;
const REFRESH: i64 = 60;

/// From now on so long, which may be shorter than it was.
pub(super) async fn set(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<StatusCode, Refused> {
    let terms: Terms = body(request).await?;
    let time_ms = time(terms.timeout.unwrap_or_default())?;
    if sandbox.state != LentState::Running {
        return Err(Refused::no_sandbox(&name_of(&sandbox.id)));
    }
    app.engine.lend_for(&sandbox.id, time_ms, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// From now on so long at least.
pub(super) async fn refresh(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<StatusCode, Refused> {
    let terms: Terms = body(request).await?;
    let seconds = terms.duration.unwrap_or(REFRESH);
    if !(0..=LONGEST_REFRESH).contains(&seconds) {
        return Err(Refused::bad_request(format!("duration has to be from 0 to {LONGEST_REFRESH}")));
    }
    if sandbox.state != LentState::Running {
        return Err(Refused::no_sandbox(&name_of(&sandbox.id)));
    }
    app.engine.lend_for(&sandbox.id, seconds.unsigned_abs() * 1000, true).await?;
    Ok(StatusCode::NO_CONTENT)
}
