//! `GET /sandboxes/{id}/metrics` and `GET /sandboxes/metrics`: what is used now. What was used is not kept.

use super::super::answer::Refused;
use super::super::ids::id_of;
use super::auth::Key;
use super::{Machine, Mine, moment, name_of};
use crate::clock;
use crate::http::App;
use axum::Json;
use axum::extract::{RawQuery, State};
use lamplight_e2b::control::Metric;
use lamplight_e2b::listing::pairs;
use lamplight_engine::LentSandbox;
use std::collections::BTreeMap;

/// Sandboxes in one question.
const MANY: usize = 100;

pub(super) async fn handle(
    State(app): State<App>,
    Mine(sandbox): Mine,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Metric>>, Refused> {
    let query = pairs(&query.unwrap_or_default());
    let bound =
        |name: &str| query.iter().find(|(of, _)| of == name).and_then(|(_, value)| value.parse::<i64>().ok());
    let now = clock::now().0 / 1000;
    // Now is not before what has ended, nor after what has not begun.
    if bound("end").is_some_and(|end| end < now) || bound("start").is_some_and(|start| start > now) {
        return Ok(Json(Vec::new()));
    }
    Ok(Json(metric(&app, &sandbox).await?.into_iter().collect()))
}

#[derive(serde::Serialize)]
pub(super) struct OfMany {
    sandboxes: BTreeMap<String, Metric>,
}

pub(super) async fn of_many(
    State(app): State<App>,
    key: Key,
    RawQuery(query): RawQuery,
) -> Result<Json<OfMany>, Refused> {
    let query = pairs(&query.unwrap_or_default());
    let named = query.iter().filter(|(name, _)| name == "sandbox_ids").flat_map(|(_, ids)| ids.split(','));
    let mut sandboxes = BTreeMap::new();
    for sandbox in named.take(MANY).filter_map(|name| app.engine.lent_sandbox(&id_of(name)?)) {
        if sandbox.person == key.person.name
            && let Some(metric) = metric(&app, &sandbox).await?
        {
            sandboxes.insert(name_of(&sandbox.id), metric);
        }
    }
    Ok(Json(OfMany { sandboxes }))
}

/// `None` of one that does not run.
pub(in crate::e2b) async fn metric(app: &App, sandbox: &LentSandbox) -> Result<Option<Metric>, Refused> {
    let Some(used) = app.engine.lent_used(&sandbox.id).await? else { return Ok(None) };
    let (now, machine) = (clock::now().0, Machine::of(sandbox));
    let age_ms = used.age_ms.unwrap_or_default().max(1);
    // Since it was made: what was used of one processor, in percent.
    let cpu_used_pct = used.cpu_ms.unwrap_or_default() as f64 * 100.0 / age_ms as f64;
    Ok(Some(Metric {
        timestamp: moment(now),
        timestamp_unix: now / 1000,
        cpu_count: machine.processors,
        cpu_used_pct,
        mem_used: used.memory_bytes.unwrap_or_default(),
        mem_total: machine.memory_bytes,
        mem_cache: 0,
        disk_used: used.disk_bytes.unwrap_or_default(),
        disk_total: machine.disk_bytes,
    }))
}
