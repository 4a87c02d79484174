//! `GET /healthz`: the server is there and answers. `GET /readyz`: it also takes work: its store answers, its disk has space, and it is not
//! about to stop.
//! An object store that is away is told and is no reason to send nobody here any more: all servers share it, and most work needs no file.

use super::App;
use axum::extract::State;
use axum::http::StatusCode;
use lamplight_engine::CommandError;

pub(super) async fn handle() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.going_away.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if !has_descriptors() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no file descriptors are left\n");
    }
    if app.engine.is_disk_full() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the disk with the data directory is full\n");
    }
    match app.engine.is_store_there().await {
        Ok(()) if app.engine.is_leased() => (StatusCode::OK, ready_for(&app)),
        Ok(()) => (StatusCode::SERVICE_UNAVAILABLE, "the lease of this server has lapsed\n"),
        Err(CommandError::Unreachable(why)) => {
            tracing::warn!("the database cannot be reached: {why}");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached\n")
        }
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}

/// Every file, connection and process needs one.
fn has_descriptors() -> bool {
    std::fs::File::open("/dev/null").is_ok()
}

fn ready_for(app: &App) -> &'static str {
    match app.engine.is_bucket_there() {
        true => "ready\n",
        false => "ready, but the object store cannot be used: no file is kept or read\n",
    }
}
