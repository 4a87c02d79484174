//! envd, which runs in E2B's own sandboxes, played from outside: what is asked of it is said to our guest in its own words. So every
//! sandbox that we have can be one of these, and nothing of E2B is in any of them, but for how the metadata of a file is named.

mod enter;
mod files;
mod filesystem;
mod path;
mod process;
mod rpc;
mod upload;
mod watch;

pub(super) use enter::{Unreachable, awake};
pub(in crate::e2b) use watch::Watchers;

use super::answer::Refused;
use super::{Router, guarded};
use crate::http::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use enter::{Inside, Reached};
use std::collections::BTreeMap;

/// What only whoever runs a sandbox may ask it, and nobody through us.
const INTERNAL: [&str; 6] = ["/init", "/freeze", "/unfreeze", "/collapse", "/fsfreeze", "/fsthaw"];

pub(super) fn router(app: &App) -> Router<App> {
    let mut routes = Router::new()
        .route("/process.Process/{method}", post(process::handle))
        .route("/filesystem.Filesystem/{method}", post(filesystem::handle))
        .route("/files", get(files::handle).post(upload::handle))
        .route("/health", get(health))
        .route("/envs", get(environment))
        .route("/metrics", get(metrics));
    for path in INTERNAL {
        routes = routes.route(path, post(async || StatusCode::NOT_FOUND));
    }
    guarded(app, routes)
}

async fn health(_: Reached) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// As everything in it starts with.
async fn environment(inside: Inside) -> Json<BTreeMap<String, String>> {
    Json(inside.environment())
}

#[derive(serde::Serialize)]
struct Metrics {
    ts: i64,
    cpu_count: u64,
    cpu_used_pct: f64,
    mem_total: u64,
    mem_used: u64,
    mem_cache: u64,
    mem_total_mib: u64,
    mem_used_mib: u64,
    disk_used: u64,
    disk_total: u64,
}

async fn metrics(State(app): State<App>, inside: Inside) -> Result<Json<Metrics>, Refused> {
    let metric = super::control::metrics::metric(&app, &inside.sandbox).await?;
    let metric = metric.ok_or_else(|| Refused::no_sandbox(&super::ids::name_of(&inside.sandbox.id)))?;
    Ok(Json(Metrics {
        ts: metric.timestamp_unix,
        cpu_count: metric.cpu_count,
        cpu_used_pct: metric.cpu_used_pct,
        mem_total: metric.mem_total,
        mem_used: metric.mem_used,
        mem_cache: metric.mem_cache,
        mem_total_mib: metric.mem_total >> 20,
        mem_used_mib: metric.mem_used >> 20,
        disk_used: metric.disk_used,
        disk_total: metric.disk_total,
    }))
}
