//! Sessions that came to nothing for want of a sandbox, and are tried again.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn dead(server: &Server) -> Vec<Value> {
    let (_, list) = server.get("/sessions?dead=true").await;
    list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test]
async fn what_failed_three_times_for_want_of_a_sandbox_is_listed_and_tried_again() {
    let server = Server::start();
    // Where sandboxes would be is something else.
    let (place, aside) = (server.place.path("data/sandboxes"), server.place.path("aside"));
    std::fs::rename(&place, &aside).ok();
    std::fs::write(&place, "in the way").unwrap();
    let id = server.create("!write one.txt one").await;
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!write two.txt two"})).await;
    let log = server.until(&id, "turn_ended", 1).await;
    let ended = &log.last().unwrap()["event"]["outcome"];
    assert_eq!((&ended["how"], &ended["failure"]["side"]), (&json!("failed"), &json!("infrastructure")));
    assert_eq!(dead(&server).await, [json!(id)]);
    let said = server.place.say(&["dead"]);
    assert!(said.contains(&id[id.len() - 8..]) && said.contains("lamplight retry"), "{said}");

    let said = server.place.say(&["show", &id]);
    assert!(said.contains(&format!("try it again with: lamplight retry {id}")), "{said}");

    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).ok();
    assert_eq!(server.place.say(&["retry", &id]), "It is tried again.\n");
    server.until(&id, "work_committed", 2).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    let story =
        server.place.git(&["log", "--reverse", "--name-only", "--format=", &format!("main..{branch}")]);
    assert_eq!(story.split_whitespace().collect::<Vec<_>>(), ["one.txt", "two.txt"]);
    assert_eq!(dead(&server).await, [] as [Value; 0]);
    assert_eq!(
        server.place.say(&["dead"]),
        "No session has come to nothing for want of a sandbox or the like.\n"
    );
    let (status, problem) = server.post(&format!("/sessions/{id}/retry"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("nothing_to_retry")));
    server.clear().await;
}
