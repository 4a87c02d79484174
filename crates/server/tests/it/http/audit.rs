//! Whoever asked for what to be changed is written down, whatever came of it.

use crate::support::{PATIENCE, Place, Server};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::io::Write;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

async fn newest(server: &Server) -> Value {
    let (status, list) = server.get("/audit?limit=1").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"][0].clone()
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_entry() {
    let server = Server::start();
    let (_, document) = server.get("/openapi.json").await;
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method == "get" {
                continue;
            }
            let about = "01JD0000000000000000000000";
            let path = path.replace("{id}", about).replace("{name}", about);
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer =
                server.request(method, &format!("/api/v1{path}")).json(&json!({})).send().await.unwrap();
            // Asked while somebody types, or before somebody goes elsewhere to sign in, and changes nothing.
            if ["prepare_ahead", "begin_sign_in"].iter().any(|one| operation["operationId"] == *one) {
                continue;
            }
            count += 1;
            let status = answer.status();
            let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
            let entry = newest(&server).await;
            assert_eq!(entry["action"], operation["operationId"], "{path}: {entry}");
            assert_eq!(entry["person"], "Ada", "{entry}");
            assert_eq!(entry["address"], "127.0.0.1", "{entry}");
            let outcome = if status.is_success() { "done" } else { "refused" };
            assert_eq!(entry["outcome"], outcome, "{status} {entry}");
            assert_eq!(entry["code"], said["code"], "{entry}");
            if path.contains(about) {
                assert_eq!(entry["subject"], about, "{entry}");
            }
        }
    }
    let (_, list) = server.get("/audit?limit=500").await;
    assert_eq!(list["items"].as_array().unwrap().len(), count, "one entry each");
}

#[tokio::test]
async fn an_entry_tells_what_was_done_and_is_found_by_it() {
    let server = Server::start();
    let id = server.create("[]").await;
    let entry = newest(&server).await;
    assert_eq!((&entry["action"], &entry["subject"]), (&json!("create_session"), &json!(id)));
    assert_eq!(entry["detail"], server.place.repository().to_str().unwrap());
    server.post(&format!("/sessions/{id}/budget"), json!({"budget_micros": 2_500_000})).await;
    let entry = newest(&server).await;
    assert_eq!((&entry["action"], &entry["detail"]), (&json!("set_budget"), &json!("$2.50")));
    server.get(&format!("/sessions/{id}")).await;
    assert_eq!(newest(&server).await, entry, "looking changes nothing");
    server.clear().await;

    let count = async |query: &str| {
        let (status, list) = server.get(&format!("/audit?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query} {list}");
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&format!("subject={id}&action=set_budget")).await, 1);
    assert_eq!(count("person=Ben").await, 0);
    assert_eq!(count("outcome=failed").await, 0);
    assert_eq!(count("since=1d&action=create_session").await, 1);
    assert_eq!(count("since=2100-01-01").await, 0);
    let said = server.place.say(&["audit", "--action", "set_budget"]);
    assert!(said.contains("Ada") && said.contains("set_budget") && said.contains("$2.50"), "{said}");
    let said = server.place.say(&["audit", "--json", "--limit", "1"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["items"].as_array().unwrap().len(), 1);
}

/// Also where it is written with what was changed, and where nothing is.
#[tokio::test]
async fn what_a_session_is_told_has_one_entry_each() {
    let server = Server::start();
    let id = server.create("[]").await;
    let mut asked = vec!["create_session done ".to_owned()];
    let mut tell = async |path: &str, body: Value, entry: &str| {
        server.post(&format!("/sessions/{id}/{path}"), body).await;
        asked.push(entry.to_owned());
    };
    tell("archive", Value::Null, "archive_session done ").await;
    tell("archive", Value::Null, "archive_session done ").await;
    tell("unarchive", Value::Null, "unarchive_session done ").await;
    tell("prompts", json!({"text": "[]"}), "prompt_session done ").await;
    tell("prompts", json!({"text": " "}), "prompt_session refused empty_prompt").await;
    tell("stop", Value::Null, "stop_session done ").await;
    tell("end", Value::Null, "end_session done ").await;
    tell("stop", Value::Null, "stop_session refused session_ended").await;
    let (_, list) = server.get("/audit?limit=500").await;
    let told = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("action"), text("outcome"), text("code"))
    };
    let told: Vec<_> = list["items"].as_array().unwrap().iter().rev().map(told).collect();
    assert_eq!(told, asked);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let server = Server::start();
    for _ in 0..5 {
        server.post("/keys/nobody/test", Value::Null).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), None::<i64>);
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (_, page) = server.get(&format!("/audit?limit=2{after}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()));
        cursor = page["next_cursor"].as_i64();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn what_other_sites_ask_for_is_told_without_a_name() {
    let server = Server::start();
    let request =
        server.request(Method::POST, "/api/v1/sessions").header(header::ORIGIN, "http://evil.example");
    assert_eq!(request.json(&json!({})).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let entry = newest(&server).await;
    assert_eq!(entry["person"], Value::Null, "{entry}");
    assert_eq!((&entry["outcome"], &entry["code"]), (&json!("refused"), &json!("origin_not_allowed")));
}

#[tokio::test]
async fn no_key_is_written_down() {
    let server = Server::start();
    let key = "sk-live-0123456789abcdefghij";
    let (status, problem) = server.put("/keys/openai", json!({ "key": key })).await;
    assert_eq!(status, StatusCode::OK, "{problem}");
    // Somebody pastes it where the name belongs.
    server.delete(&format!("/keys/{key}")).await;
    server.post(&format!("/sessions/{key}/stop"), Value::Null).await;
    let (_, list) = server.get("/audit").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    assert!(!list.to_string().contains(key), "{list}");
}

#[tokio::test]
async fn a_request_whose_client_leaves_is_written_down() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new();
    let mut configuration = std::fs::File::options().append(true).open(place.path("lamplight.toml")).unwrap();
    writeln!(configuration, "[models.openai]\nbase = 'http://{}/v1'", upstream.local_addr().unwrap())
        .unwrap();
    let server = Server::start_in(place);
    let request = server.request(Method::POST, "/api/v1/keys/openai/test").send();
    // It is being done: the upstream is asked, and never answers.
    let asked = async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream
    };
    let held = tokio::select! {
        held = asked => held,
        answer = request => panic!("{answer:?}"),
    };
    let written = async {
        loop {
            let entry = newest(&server).await;
            if !entry.is_null() {
                return entry;
            }
            tokio::task::yield_now().await;
        }
    };
    let entry = tokio::time::timeout(PATIENCE, written).await.unwrap();
    drop(held);
    assert_eq!((&entry["action"], &entry["outcome"]), (&json!("test_key"), &json!("unanswered")), "{entry}");
}
