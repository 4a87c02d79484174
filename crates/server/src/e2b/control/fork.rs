//! `POST /sandboxes/{id}/fork`

use super::super::answer::Refused;
use super::{Mine, body, made, time};
use crate::http::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use lamplight_e2b::control::{Fork, NewForks};
use lamplight_engine::LentState;

/// Seconds, where nobody says.
const TIMEOUT: i64 = 15;

/// Of one request.
const MOST: i64 = 100;

pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<(StatusCode, Json<Vec<Fork>>), Refused> {
    let asked: NewForks = body(request).await?;
    let time_ms = time(asked.timeout.unwrap_or(TIMEOUT))?;
    let count = match asked.count.unwrap_or(1) {
        count if count < 1 => return Err(Refused::bad_request("Count must be at least 1")),
        count if count > MOST => {
            return Err(Refused::bad_request(format!("Count cannot be greater than {MOST}")));
        }
        count => usize::try_from(count).unwrap_or(1),
    };
    if sandbox.state != LentState::Running {
        let name = super::name_of(&sandbox.id);
        return Err(Refused::new(StatusCode::CONFLICT, format!("Sandbox '{name}' is paused; resume it")));
    }
    let mut forks = Vec::new();
    for fork in app.engine.fork_lent(&sandbox.id, count, time_ms).await? {
        forks.push(match fork {
            Ok(fork) => Fork::Sandbox(made(&app, &fork).await?),
            Err(error) => Fork::Error(Refused::from(error).into()),
        });
    }
    Ok((StatusCode::CREATED, Json(forks)))
}
