//! Very many sandboxes, one after the other and at once: each does what it is asked, and of none anything is left.

use super::cloud;
use futures::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::json;

/// How many, unless the environment says more.
const CYCLES: usize = 100;
const AT_ONCE: usize = 20;

#[tokio::test]
async fn sandboxes_come_and_go_and_leave_nothing() {
    let cycles =
        std::env::var("LAMPLIGHT_E2B_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(CYCLES);
    let cloud = cloud();
    let cycle = async |number: usize| {
        let sandbox =
            cloud.create(json!({"templateID": "base", "metadata": {"n": number.to_string()}})).await;
        let said = cloud.say(&sandbox, &format!("echo {number}; cat /proc/sys/kernel/hostname")).await;
        assert_eq!(said.as_deref(), Ok(format!("{number}\nlamplight\n").as_str()));
        assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
        assert_eq!(cloud.health(&sandbox).await, StatusCode::BAD_GATEWAY);
    };
    stream::iter(0..cycles).map(cycle).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    cloud.nothing_is_left().await;
}
