//! A new session that is asked of a server with no place for it.

use super::count;
use super::one_view::{busy, pair_of_places, places_with, queue, queued};
use crate::support::{Server, answer, scripted_agent};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Where its sandbox is.
async fn server_of(server: &Server, id: &str) -> String {
    let (_, list) = server.get("/sandboxes").await;
    let found = list["items"].as_array().unwrap().iter().find(|item| item["session"] == id);
    found.unwrap_or_else(|| panic!("{id} has no sandbox: {list}"))["server"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_begins_at_one_that_has_and_waits_only_if_none_has() {
    let (one, other) = pair_of_places();
    let here = busy(&one).await;
    let ask = async || {
        let new = json!({"repository": one.place.repository(), "prompt": "!write one.txt one\n!hang"});
        answer(one.request(Method::POST, "/api/v1/sessions").header("Idempotency-Key", "7").json(&new)).await
    };
    let (status, view) = ask().await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let there = view["id"].as_str().unwrap();
    let log = one.until(there, "turn_started", 1).await;
    assert_eq!(count(&log, "sandbox_queued"), 0, "{log:?}");
    assert_eq!(server_of(&one, &here).await, one.base);
    assert_eq!(server_of(&one, there).await, other.base);
    // Asked once more it is the same, though there is no place any more.
    assert_eq!(ask().await.1["id"], view["id"]);

    let waiting = queued(&one, "!say hello").await;
    assert_eq!(queue(&one).await, [(waiting.clone(), one.base.clone(), 1)]);
    let (status, view) = other.post(&format!("/sessions/{here}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{view}");
    other.until(&waiting, "turn_ended", 1).await;
    other.clear().await;
}

#[tokio::test]
async fn what_another_refuses_waits_where_it_was_asked_for() {
    let (one, other) = places_with("[queue]\nsandboxes = 1\n");
    let file = one.path("lamplight.toml");
    let own = format!("[[agents]]\nname = \"own\"\ncommand = {:?}\n", scripted_agent());
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + &own).unwrap();
    let (one, other) = (Server::start_in(one), Server::start_in(other));
    let at_work = busy(&one).await;
    let new = json!({"repository": one.place.repository(), "prompt": "!say hello", "agent": "own"});
    let (status, view) = one.post("/sessions", new.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let id = view["id"].as_str().unwrap();
    one.until(id, "sandbox_queued", 1).await;
    assert_eq!(queue(&other).await, [(id.to_owned(), one.base.clone(), 1)]);
    // Who asks the other gets its word.
    let (status, problem) = other.post("/sessions", new).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("agent_unknown")), "{problem}");
    one.post(&format!("/sessions/{at_work}/stop"), Value::Null).await;
    other.until(id, "turn_ended", 1).await;
    other.clear().await;
}
