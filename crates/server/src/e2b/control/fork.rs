//! `POST /sandboxes/{id}/fork`

use super::super::answer::Refused;
use super::{Mine, body, made, time};
use crate::http::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use lamplight_e2b::control::{Fork, NewForks, Sandbox};
use lamplight_engine::{LentSandbox, LentState};

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
        let told = match fork {
            Ok(fork) => told(&app, &fork).await,
            Err(error) => Err(error.into()),
        };
        forks.push(told.map_or_else(|refused| Fork::Error(refused.into()), Fork::Sandbox));
    }
    Ok((StatusCode::CREATED, Json(forks)))
}

/// One that nobody can be told of is taken back: nobody else would end it.
async fn told(app: &App, fork: &LentSandbox) -> Result<Sandbox, Refused> {
    let told = made(app, fork).await;
    if told.is_err()
        && let Err(error) = app.engine.take_back(&fork.id).await
    {
        tracing::warn!(sandbox = %fork.id, %error, "a fork that nobody knows of could not be ended; it ends in its time");
    }
    told
}
