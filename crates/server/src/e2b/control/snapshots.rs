//! `POST /sandboxes/{id}/snapshots`, `GET /snapshots` and `DELETE /templates/{id}`: files that are kept, and that sandboxes begin with.

use super::super::answer::Refused;
use super::super::ids::name_of;
use super::auth::Key;
use super::list::NEXT;
use super::{Mine, body};
use crate::http::App;
use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use lamplight_e2b::control::{NewSnapshot, Snapshot};
use lamplight_e2b::listing::{Cursor, PAGE, pairs};
use lamplight_engine::{DEFAULT_TAG, LentTemplate, TemplateName, TemplateState};

pub(super) async fn create(
    State(app): State<App>,
    Mine(sandbox): Mine,
    request: Request,
) -> Result<(StatusCode, Json<Snapshot>), Refused> {
    let asked: NewSnapshot = body(request).await?;
    if asked.memory == Some(true) {
        return Err(Refused::bad_request(
            "a snapshot with memory (mode \"full\") is not supported by this server: it keeps files, and sandboxes that are made of it start anew. Leave the mode out, or say \"filesystem\"",
        ));
    }
    let called = asked.name.as_deref().filter(|name| !name.is_empty()).map(called).transpose()?;
    let made = app.engine.snapshot_lent(&sandbox.id, called).await?;
    Ok((StatusCode::CREATED, Json(told(&made))))
}

/// The newest first, in pages.
pub(super) async fn list(
    State(app): State<App>,
    key: Key,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<Snapshot>>), Refused> {
    let query = pairs(&query.unwrap_or_default());
    let value =
        |of: &str| query.iter().find(|(name, value)| name == of && !value.is_empty()).map(|(_, value)| value);
    let (sandbox, name) = (value("sandboxID"), value("name").map(|name| called(name)).transpose()?);
    let limit = match value("limit") {
        Some(limit) => limit.parse().ok().filter(|limit| (1..=PAGE).contains(limit)),
        None => Some(PAGE),
    };
    let limit = limit.ok_or_else(|| Refused::bad_request("Invalid limit: it has to be from 1 to 100"))?;
    let after = value("nextToken").map(|token| Cursor::decode(token));
    let after =
        after.map(|token| token.ok_or_else(|| Refused::bad_request("Invalid next token"))).transpose()?;
    let is_meant = |one: &LentTemplate| {
        let is_snapshot = one.of.is_some() && one.state == TemplateState::Ready && !one.tags.is_empty();
        let of = |wanted: &String| one.of.as_ref().is_some_and(|of| name_of(of) == *wanted);
        let named = |wanted: &TemplateName| one.name.as_ref() == Some(&wanted.name);
        is_snapshot
            && sandbox.is_none_or(of)
            && name.as_ref().is_none_or(named)
            && after.as_ref().is_none_or(|after| cursor(one) < *after)
    };
    let mut all: Vec<_> = app.engine.lent_templates(&key.person.name).into_iter().filter(is_meant).collect();
    let mut headers = HeaderMap::new();
    if all.len() > limit {
        all.truncate(limit);
        let next = all.last().map(|last| cursor(last).encode()).unwrap_or_default();
        headers.extend(HeaderValue::from_str(&next).ok().map(|next| (NEXT, next)));
    }
    Ok((headers, Json(all.iter().map(told).collect())))
}

/// One by its tag, or all of a name.
pub(super) async fn delete(
    State(app): State<App>,
    key: Key,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    let removed = match TemplateName::parse(&name) {
        Some(called) => app.engine.remove_lent_templates(&key.person.name, &called).await?,
        None => false,
    };
    match removed {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refused::new(StatusCode::NOT_FOUND, format!("template '{name}' not found"))),
    }
}

fn cursor(one: &LentTemplate) -> Cursor {
    Cursor { started_at_ms: one.made_at.0, id: one.id.to_string() }
}

pub(super) fn called(name: &str) -> Result<TemplateName, Refused> {
    let message = || {
        format!("Invalid name '{name}': it may have letters, digits, '-', '_' and '.', and a tag behind ':'")
    };
    TemplateName::parse(name).ok_or_else(|| Refused::bad_request(message()))
}

fn told(one: &LentTemplate) -> Snapshot {
    let name = one.name.clone().unwrap_or_else(|| name_of(&one.family));
    let tag = one.tags.first().map_or(DEFAULT_TAG, String::as_str);
    Snapshot { snapshot_id: format!("{name}:{tag}"), names: one.name.iter().cloned().collect() }
}
