//! What every request passes on its way to its route, and its answer on the way back. One layer and not one for each: a layer copies all
//! that is within it for every request.
//!
//! ```text
//! counted ─▶ another server's? ─▶ a preview's? ─▶ E2B's? ─▶ written down ─▶ by a name of ours, from our page? ─▶ in time ─▶ its route
//! ```

use super::audit::Stranger;
use super::{App, audit, deadline, elsewhere, guard, metrics, redact};
use crate::{e2b, preview};
use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::ops::ControlFlow;

/// What it is passed on to that is not a route.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) app: App,
    pub(super) e2b: e2b::Routes,
}

pub(super) async fn pass(State(front): State<Front>, request: Request, next: Next) -> Response {
    let counting = metrics::Counting::begin(&request);
    let response = match divert(&front, request).await {
        ControlFlow::Continue(request) => answer(&front.app, request, next).await,
        ControlFlow::Break(response) => response,
    };
    counting.end(&front.app, &response);
    response
}

/// What is not for our own routes, which never see it, is answered by whose it is.
async fn divert(front: &Front, request: Request) -> ControlFlow<Response, Request> {
    let request = elsewhere::divert(&front.app, request).await?;
    let request = preview::divert(&front.app, request).await?;
    e2b::divert(&front.e2b, request).await
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    let (pending, request) = audit::begin(app, request).await;
    let mut response = match guard::judge_request(app, &request) {
        Ok(()) => redact::redacted(app, deadline::in_time(next.run(request)).await).await,
        Err(problem) => (Extension(Stranger), problem).into_response(),
    };
    guard::protect(app, &mut response);
    let unwritten = audit::unwritten(pending).await;
    audit::write(app, unwritten.and_then(|entry| audit::answered(app, entry, &response))).await;
    response
}
