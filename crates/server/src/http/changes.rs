//! `GET /events`: the summary of every session that changes, over a WebSocket.

use super::access::Caller;
use super::problem::Problem;
use super::sessions::events::not_a_websocket;
use super::{App, live};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;

/// Each text frame is a `SessionSummary`, at most ten a second for one session, or the heartbeat.
#[utoipa::path(get, path = "/events", operation_id = "follow_changes", tag = "sessions", responses((status = 101, description = "A WebSocket")))]
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|error| not_a_websocket(&error.to_string()))?;
    Ok(live::open(&app.clone(), caller, upgrade, move |socket| async move {
        live::summaries::run(&app, socket).await
    }))
}
