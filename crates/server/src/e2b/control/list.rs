//! `GET /sandboxes` and `GET /v2/sandboxes`

use super::super::answer::Refused;
use super::auth::Key;
use super::{SandboxInfo, info};
use crate::http::App;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use lamplight_e2b::listing::{Cursor, PAGE, Query};
use lamplight_engine::LentSandbox;

pub(super) const NEXT: HeaderName = HeaderName::from_static("x-next-token");
const RUNNING: HeaderName = HeaderName::from_static("x-total-running");

/// All that run, on one page.
pub(super) async fn first(
    State(app): State<App>,
    key: Key,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<SandboxInfo>>, Refused> {
    let mut query = Query::parse(&query.unwrap_or_default()).map_err(Refused::bad_request)?;
    query.states.get_or_insert_with(|| vec![super::SandboxState::Running]);
    Ok(Json(found(&app, &key, &query).iter().map(info).collect()))
}

pub(super) async fn second(
    State(app): State<App>,
    key: Key,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<SandboxInfo>>), Refused> {
    let query = Query::parse(&query.unwrap_or_default()).map_err(Refused::bad_request)?;
    let mut all = found(&app, &key, &query);
    let running = all.iter().filter(|one| info(one).state == super::SandboxState::Running).count();
    let mut headers = HeaderMap::new();
    headers.insert(RUNNING, HeaderValue::from(running));
    if let Some(after) = &query.after {
        let is_behind = |one: &LentSandbox| {
            if query.ascending { cursor(one) > *after } else { cursor(one) < *after }
        };
        all.retain(is_behind);
    }
    let limit = query.limit.unwrap_or(PAGE);
    if all.len() > limit {
        all.truncate(limit);
        let next = all.last().map(|last| cursor(last).encode()).unwrap_or_default();
        headers.extend(HeaderValue::from_str(&next).ok().map(|next| (NEXT, next)));
    }
    Ok((headers, Json(all.iter().map(info).collect())))
}

fn cursor(sandbox: &LentSandbox) -> Cursor {
    Cursor { started_at_ms: sandbox.started_at.0, id: sandbox.id.to_string() }
}

/// Those of whoever asks, the newest first unless the query says otherwise.
fn found(app: &App, key: &Key, query: &Query) -> Vec<LentSandbox> {
    let is_it = |one: &LentSandbox| {
        let metadata = query.metadata.iter().all(|(name, value)| one.metadata.get(name) == Some(value));
        let state = query.states.as_ref().is_none_or(|states| states.contains(&info(one).state));
        let template = query.template.as_ref().is_none_or(|template| *template == one.template);
        one.person == key.person.name && metadata && state && template
    };
    let mut all: Vec<_> = app.engine.lent().into_iter().filter(is_it).collect();
    all.sort_by_key(cursor);
    if !query.ascending {
        all.reverse();
    }
    all
}
