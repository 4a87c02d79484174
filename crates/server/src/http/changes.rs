//! `GET /events`: the summary of every session that changes, over a WebSocket.

use super::access::Caller;
use super::problem::Problem;
use super::{App, live};
use axum::extract::State;
use axum::response::Response;

/// Each text frame is a `SessionSummary`, at most ten a second for one session, or the heartbeat.
#[utoipa::path(get, path = "/events", operation_id = "follow_changes", tag = "sessions", responses((status = 101, description = "A WebSocket")))]
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    upgrade: live::Upgrade,
) -> Result<Response, Problem> {
    Ok(live::open(&app.clone(), caller, upgrade, move |socket| async move {
        live::summaries::run(&app, socket).await
    }))
}
