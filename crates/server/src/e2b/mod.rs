//! E2B's protocol, served: its SDKs, unmodified, take this server for their sandbox cloud.
//!
//! ```text
//! SDK ── /sandboxes…            X-API-Key: a token of this server's  ──▶ control: sandboxes are lent, listed, taken back
//! SDK ── any path               E2b-Sandbox-Id, E2b-Sandbox-Port     ─┬▶ port 49983: envd, in which we speak our own link
//! SDK ── {port}-{id}.{domain}                                        ─┘▶ any other: whoever listens there in the sandbox
//! ```
//! Nothing of the protocol is known beyond this folder and the crate `e2b`: to the engine these are sandboxes that are lent. What is not
//! served is answered in E2B's own words for errors, so that a client says what is wrong.

mod answer;
mod control;
mod envd;
mod idempotency;
mod ids;
mod interpreter;
mod port;
mod target;

use crate::http::{App, redact::redact};
use answer::Refused;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use idempotency::Idempotency;
use lamplight_e2b::ENVD_PORT;
use std::ops::ControlFlow;
use std::sync::Arc;
use target::Target;

/// Both routers, made once.
#[derive(Clone)]
pub(crate) struct Routes {
    app: App,
    control: Router,
    envd: Router,
}

impl Routes {
    pub(crate) fn new(app: &App) -> Self {
        let control = control::router(app).with_state(app.clone());
        let envd = envd::router(app).with_state(app.clone());
        Self { app: app.clone(), control, envd }
    }
}

/// What this edge keeps beside the engine.
#[derive(Default)]
pub(crate) struct Edge {
    idempotency: Idempotency,
    watchers: envd::Watchers,
}

/// Answers what is spoken in E2B's protocol, where that is switched on; all else is for our own routes, which never see this.
pub(crate) async fn divert(routes: &Routes, mut request: Request) -> ControlFlow<Response, Request> {
    let Routes { app, control, envd } = routes;
    if !app.config.e2b.enabled {
        return ControlFlow::Continue(request);
    }
    ControlFlow::Break(match Target::of(&request, app.config.e2b.domain.as_deref()) {
        Target::Ours => return ControlFlow::Continue(request),
        Target::Control => serve(control, request).await,
        Target::Sandbox(place) if place.port == ENVD_PORT => {
            request.extensions_mut().insert(place);
            serve(envd, request).await
        }
        Target::Sandbox(place) => port::forward(app, &place, request).await,
    })
}

async fn serve(router: &Router, request: Request) -> Response {
    match TowerToHyperService::new(router.clone()).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Whoever asks for what is not here.
async fn not_here(request: Request) -> Refused {
    let (method, path) = (request.method(), request.uri().path());
    tracing::warn!(%method, path, "an E2B client asked for something that is not served");
    Refused::new(StatusCode::NOT_IMPLEMENTED, format!("this server does not have {method} {path}"))
}

/// Whoever asks so for what is asked for otherwise.
async fn not_so(request: Request) -> Refused {
    let (method, path) = (request.method(), request.uri().path());
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, format!("this server does not have {method} {path}"))
}

/// As all of our own are guarded: against pages of other sites, and names that are made to point here. Names under the domain are
/// nobody else's.
fn guarded(app: &App, router: Router<App>) -> Router<App> {
    router
        .fallback(not_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), redact))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if target::is_under(request.headers(), app.config.e2b.domain.as_deref()) {
        return next.run(request).await;
    }
    match crate::http::guard::refuse_strangers(&app, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN);
            Refused::new(status, format!("{}. {}", problem.detail, problem.what_to_do)).into_response()
        }
    }
}

impl Edge {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }
}
