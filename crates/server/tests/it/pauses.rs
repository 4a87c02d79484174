//! A session stands still and goes on, with a real agent's process in the middle of its work.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Pauses in the middle of a tool call: 100 by hand, a few with every run.
fn rounds() -> usize {
    std::env::var("LAMPLIGHT_PAUSE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)
}

/// A tool call that takes a moment and counts what it does: nothing of it may be lost or done twice.
const COUNT: &str = "!run for n in $(seq 1 30); do echo $n >> count.txt; sleep 0.01; done\n!say counted";

async fn post(server: &Server, id: &str, what: &str) -> (StatusCode, Value) {
    server.post(&format!("/sessions/{id}/{what}"), Value::Null).await
}

#[tokio::test]
async fn a_turn_that_is_paused_in_a_tool_call_goes_on_and_ends_right_every_time() {
    let server = Server::start();
    let (status, problem) = post(&server, "01JD0000000000000000000000", "pause").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..rounds() {
        let id = server.create(COUNT).await;
        server.until(&id, "tool_called", 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(random.u64(0..200))).await;
        let (status, view) = post(&server, &id, "pause").await;
        // The turn may have come to its end meanwhile: an idle sandbox can be paused too.
        assert_eq!(status, StatusCode::ACCEPTED, "{view}");
        let paused = server.until(&id, "sandbox_paused", 1).await;
        let view = server.view(&id).await;
        assert_eq!(view["sandbox_state"], "paused", "{view}");
        let (status, _) = post(&server, &id, "resume").await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let all = server.until(&id, "work_committed", 1).await;
        assert!(all.len() >= paused.len());
        let branch = view["branch"].as_str().unwrap();
        let counted = server.place.git(&["show", &format!("{branch}:count.txt")]);
        let expected: String = (1..=30).map(|n| format!("{n}\n")).collect();
        assert_eq!(counted.trim(), expected.trim(), "round {round}");
        assert_eq!(server.view(&id).await["phase"], "done");
        server.until(&id, "sandbox_resumed", 1).await;
    }
    server.clear().await;
}

#[tokio::test]
async fn nothing_happens_while_it_is_paused_and_a_killed_server_finds_it_so() {
    let server = Server::start();
    let id = server.create("!stream 200 10").await;
    server.until(&id, "agent_spoke", 3).await;
    let (status, problem) = post(&server, &id, "resume").await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("not_paused")), "{problem}");
    post(&server, &id, "pause").await;
    server.until(&id, "sandbox_paused", 1).await;
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], &view["sandbox_state"]), (&json!("paused"), &json!("paused")), "{view}");
    assert!(view["reason"].as_str().unwrap().starts_with("paused by "), "{view}");
    let (status, _) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say after"})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let before = server.view(&id).await["last_seq"].clone();

    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let view = server.view(&id).await;
    assert_eq!((&view["last_seq"], &view["sandbox_state"]), (&before, &json!("paused")), "{view}");
    post(&server, &id, "resume").await;
    let entries = server.until(&id, "work_committed", 2).await;
    let said: String = entries
        .iter()
        .filter(|entry| entry["event"]["type"] == "agent_spoke")
        .map(|entry| entry["event"]["text"].as_str().unwrap())
        .collect();
    assert!(said.trim_end().ends_with("after"), "{said}");
    server.clear().await;
}

#[tokio::test]
async fn stop_ends_what_is_paused_and_end_removes_it() {
    let server = Server::start();
    let id = server.create("!run sleep 600").await;
    server.until(&id, "tool_called", 1).await;
    post(&server, &id, "pause").await;
    server.until(&id, "sandbox_paused", 1).await;
    let (status, _) = post(&server, &id, "stop").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "work_committed", 1).await;
    post(&server, &id, "pause").await;
    server.until(&id, "sandbox_paused", 2).await;
    let (status, view) = post(&server, &id, "end").await;
    assert_eq!((status, &view["ended"]), (StatusCode::OK, &json!(true)), "{view}");
    server.until(&id, "sandbox_destroyed", 1).await;
    server.clear().await;
}
