//! Who asks, and whether they may.
//!
//! ```text
//! request ─┬─ no sign-in configured: the one person of this machine, who may everything
//!          ├─ Authorization: Bearer lmp_…  ─┐
//!          ├─ cookie lms_…                  ├─▶ somebody ─▶ the route's row in `table` ─▶ role, scope, right on the repository
//!          └─ neither                       ┘   or nobody
//! ```
//! What a route needs is said in [`table`] alone. A route without a row is refused where there is a sign-in, and fails a test.

mod caller;
pub(crate) mod cookie;
mod owners;
mod rights;
pub mod table;
mod turns;

pub(crate) use caller::{Asks, By, Caller, Open, Signed, Who};
pub(super) use owners::OwnersHere;
pub(crate) use rights::{may_begin, may_see, may_use, seen};
pub(super) use turns::watch;

use super::App;
use super::audit::{Asker, Stranger};
use super::elsewhere::PassedOn;
use super::problem::Problem;
use axum::Extension;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{RequestExt, http::HeaderValue};
use lamplight_domain::{Role, Scope, SessionId};
use lamplight_engine::CommandError;
use lamplight_engine::people::{Known, SecretKind};
use std::sync::Arc;
use table::Need;

/// In front of every route of the API.
pub(super) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if !app.config.auth.required {
        request.extensions_mut().insert(Caller::Solo);
        return next.run(request).await;
    }
    let caller = match admit(&app, &mut request).await {
        Ok(caller) => caller,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => {
            return to_sign_in(&request).unwrap_or_else(|| (Extension(Stranger), problem).into_response());
        }
        Err(problem) => return problem.into_response(),
    };
    let is_passed_on = request.extensions().get::<PassedOn>().is_some();
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // The server that was asked may have kept the answer to itself, and a secret in it would be lost.
    if !is_passed_on {
        cookie::renew(&app, &caller, &mut response).await;
    }
    response
}

async fn admit(app: &App, request: &mut Request) -> Result<Caller, Problem> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_default();
    let path = path.strip_prefix("/api/v1").unwrap_or(&path);
    let need = match table::need(request.method(), path) {
        Some(need) => need,
        // That the path does not take this method is said by the router.
        None if table::has(path) => Need::Open,
        None => return Err(without_row(path)),
    };
    let caller = who(app, request.method(), request.headers()).await?;
    if let (Some(known), Some(asker)) = (caller.known(), request.extensions().get::<Asker>()) {
        asker.is(&known.person.name);
    }
    let known = match (&caller, need) {
        (_, Need::Open) => return Ok(caller),
        (Caller::Known(known), _) => known.clone(),
        (Caller::Solo | Caller::Nobody, _) => return Err(nobody()),
    };
    judge(&known, need)?;
    let is_session = path.starts_with("/sessions/{id}");
    if is_session
        && known.person.role < Role::Admin
        && let Some(session) = session_of(request).await
    {
        let view = match app.engine.view(&session).await {
            // The handler says that there is none.
            Err(CommandError::NotFound) => return Ok(caller),
            other => other?,
        };
        match need {
            Need::Steer => may_use(app, &caller, &view.repository).await?,
            Need::Open | Need::Look | Need::Start | Need::Account | Need::Administer => {
                may_see(app, &caller, &view.repository).await?;
            }
        }
    }
    Ok(caller)
}

/// Whoever the request says it is; a secret that does not count is nobody's, and refused for all but open routes.
pub(crate) async fn who(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    let found = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let text = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            app.engine.identify(SecretKind::Token, text.unwrap_or_default().trim()).await?
        }
        None => match cookie::read(app, headers) {
            Some(text) => {
                cookie::is_from_our_page(method, headers)?;
                app.engine.identify(SecretKind::Browser, &text).await?
            }
            None => None,
        },
    };
    Ok(found.map_or(Caller::Nobody, |known| Caller::Known(Arc::new(known))))
}

/// Whether the person's role, and what of it counts here, are enough.
fn judge(known: &Known, need: Need) -> Result<(), Problem> {
    let (role, scope) = need.asks();
    if known.person.role < role {
        let detail =
            format!("this needs the role {role}, and {} is {}", known.person.name, known.person.role);
        let what_to_do = "Ask an admin of this server: lamplight people role.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "role_too_low", detail, what_to_do));
    }
    if known.scope() < scope {
        let detail = format!("this needs a token with the scope {scope}, and this one has {}", known.scope());
        let what_to_do = "Make another one: lamplight tokens create NAME --scope.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "scope_too_small", detail, what_to_do));
    }
    Ok(())
}

/// The `{id}` of a session's route; what is no id names no session, as the handler says.
async fn session_of(request: &mut Request) -> Option<SessionId> {
    let parameters = request.extract_parts::<RawPathParams>().await.ok()?;
    parameters.iter().find(|(name, _)| *name == "id").and_then(|(_, value)| value.parse().ok())
}

/// Somebody's browser that is led here goes to sign in first, and comes back.
fn to_sign_in(request: &Request) -> Option<Response> {
    let value = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_a_person = request.method() == Method::GET
        && value("sec-fetch-mode") == Some("navigate")
        && value("sec-fetch-dest") == Some("document");
    let to = HeaderValue::from_static("/sign-in");
    is_a_person.then(|| (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

pub(crate) fn nobody() -> Problem {
    let detail = "nobody is signed in, or the token does not count any more";
    let what_to_do = "Sign in on the page, or run `lamplight login` with the server's address.";
    Problem::new(StatusCode::UNAUTHORIZED, "sign_in_required", detail, what_to_do)
}

fn without_row(path: &str) -> Problem {
    tracing::error!(path, "a route has no row in the access table, so nobody may use it");
    let detail = "nobody has said who may do this";
    Problem::new(StatusCode::FORBIDDEN, "route_without_row", detail, "Tell those who make Lamplight.")
}

/// Of a token: no more than what it is made with may do.
pub(crate) fn no_more_than(known: &Known, scope: Scope) -> Result<(), Problem> {
    if scope <= known.scope() {
        return Ok(());
    }
    let detail = format!("a token cannot have more than the one that makes it: {}", known.scope());
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_too_small", detail, "Ask for less, or sign in first."))
}
