//! Programs that listen in a sandbox, for whoever has the name of their host.

use super::envd::{Unreachable, awake};
use super::target::Place;
use crate::http::App;
use crate::http::access::Caller;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Passes a request on to a port inside, and the answer back; WebSockets too.
pub(super) async fn forward(app: &App, place: &Place, request: Request) -> Response {
    let sandbox = match awake(app, place).await {
        Ok(sandbox) => sandbox,
        Err(unreachable) => return unreachable.into_response(),
    };
    let Some(seat) = app.previews.place(&sandbox.id).await else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    match app.engine.lent_dial(&sandbox.id, place.port).await {
        Ok(Some(stream)) => crate::preview::forward(app, &Caller::Solo, stream, request, seat, None).await,
        Ok(None) => Unreachable::nobody_listens(&place.name, place.port).into_response(),
        Err(_) => Unreachable::no_sandbox(&place.name).into_response(),
    }
}
