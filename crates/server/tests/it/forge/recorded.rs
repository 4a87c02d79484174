//! What GitHub really sent, as its own clients' authors have recorded it: `@octokit/webhooks-examples`, which comes with the page's tools.

use super::{SECRET, Stage, Way};
use lamplight_fake_github::signature;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const EXAMPLES: &str = "../../web/node_modules/@octokit/webhooks-examples/api.github.com/index.json";

#[derive(Deserialize)]
struct Event {
    name: String,
    examples: Vec<Value>,
}

/// Status and outcome.
async fn send(stage: &Stage, id: &str, event: &str, body: Vec<u8>, signature: &str) -> (u16, String) {
    let request = stage.server.request(Method::POST, "/github/webhooks");
    let request = request.header("content-type", "application/json").header("x-github-event", event);
    let request = request.header("x-github-delivery", id).header("x-hub-signature-256", signature);
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let answer: Value = answer.json().await.unwrap_or_default();
    (status, answer["outcome"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_recorded_delivery_is_taken_or_ignored_refused_when_changed_and_known_when_it_comes_again() {
    let Ok(text) = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLES)) else {
        println!("skipped: the recorded deliveries are not installed; run `npm ci` in web");
        return;
    };
    let events: Vec<Event> = serde_json::from_slice(&text).unwrap();
    // Words that stand in what was recorded, so that some of it is meant for us.
    let stage = Stage::start_with(Way::App, "label = 'bug'\nmention = 'you'\n").await;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    for event in events {
        for example in event.examples {
            count += 1;
            let id = format!("recorded-{count}");
            let body = serde_json::to_vec(&example).unwrap();
            let signed = signature(SECRET, &body);
            let mut changed = body.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            let (status, _) = send(&stage, &id, &event.name, changed, &signed).await;
            assert_eq!(status, 401, "{} {count}", event.name);
            let (status, outcome) = send(&stage, &id, &event.name, body.clone(), &signed).await;
            assert_eq!(status, 202, "{} {count}", event.name);
            let (status, again) = send(&stage, &id, &event.name, body, &signed).await;
            let expected = if outcome == "ignored" { "ignored" } else { "known" };
            assert_eq!((status, again.as_str()), (202, expected), "{} {count}", event.name);
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    println!("{count} recorded deliveries: {outcomes:?}");
    assert!(count > 300 && outcomes.get("stored").is_some_and(|stored| *stored > 3), "{count} {outcomes:?}");
    assert!(stage.sessions().await.is_empty(), "nobody there may write to a repository that is not there");
}
