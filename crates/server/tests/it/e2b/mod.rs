//! E2B's protocol, served: by its own SDKs, and by what they would never send.

mod any_cloud;
mod away;
mod bounds;
mod cycles;
mod domain;
mod odd_clouds;
mod outside;
mod provider;
mod raw;
mod refused;
mod registry;
mod restart;
mod sdks;
mod shared;
mod templates;
mod uploads;

use crate::support::{PATIENCE, Place, Server};
use raw::Cloud;
use std::time::Duration;
use tokio::time::Instant;

/// A server for programs that speak E2B, with as many sandboxes for each person as there is room for.
fn cloud() -> Cloud {
    cloud_with("")
}

/// The same with more of a configuration.
fn cloud_with(more: &str) -> Cloud {
    cloud_that("", more)
}

/// The same with more of its own section, and more behind.
fn cloud_that(own: &str, more: &str) -> Cloud {
    let text = format!("[e2b]\nenabled = true\n{own}[queue]\nsandboxes_per_person = 0\n{more}");
    Cloud::of(Server::start_in(Place::with(&text)))
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
