//! `GET /sessions/{id}/events`: the session's log as it grows, over a WebSocket.

use crate::http::App;
use crate::http::access::{By, Caller};
use crate::http::extract::{Id, Query};
use crate::http::live;
use crate::http::problem::Problem;
use axum::extract::State;
use axum::response::Response;
use lamplight_domain::Seq;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The last `seq` that the client has; 0 for all. May be sent as the first message, `{"resume": N}`, instead.
    resume: Option<u64>,
    /// Whether to be told who else follows the session.
    presence: bool,
}

/// Entries as in the log, one text frame each, without gap or double, then live; between them control frames
/// `{"control":"live"}`, `{"control":"heartbeat"}` and, before the server closes, `{"control":"resume","seq":N}`.
/// With `presence`, `{"control":"present","people":[{"name":"Ada","streams":1}]}` says who follows, whenever that changes.
/// The client sends `{"ack":N}` at least every 100 entries or 5 seconds.
#[utoipa::path(get, path = "/sessions/{id}/events", operation_id = "follow_session", tag = "sessions", params(("id" = String, Path), Params),
    responses((status = 101, description = "A WebSocket"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(in crate::http) async fn handle(
    State(app): State<App>,
    By(by): By,
    caller: Caller,
    Id(id): Id,
    Query(params): Query<Params>,
    upgrade: Result<live::Upgrade, Problem>,
) -> Result<Response, Problem> {
    let view = app.engine.view(&id).await?;
    Ok(live::open(&app.clone(), caller, upgrade?, move |socket| async move {
        let seat = (params.presence, by.as_str());
        live::entries::run(&app, &id, socket, params.resume.map(Seq), view.last_seq, seat).await;
    }))
}
