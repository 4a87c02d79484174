//! `POST /sessions`

use crate::support::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_is_made_with_what_was_asked_and_what_is_configured() {
    let server = Server::start();
    let request = json!({
        "repository": server.place.repository(), "prompt": "Fix the flaky test\nplease", "title": "Flaky",
        "permissions": "reject", "limits": {"steps": 3},
    });
    let answer = server.request(Method::POST, "/api/v1/sessions").json(&request).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let view: Value = answer.json().await.unwrap();
    let id = view["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/sessions/{id}"));
    assert_eq!(
        (&view["title"], &view["agent"], &view["base"]),
        (&json!("Flaky"), &json!("scripted"), &json!("main"))
    );
    assert_eq!(view["person"], json!({"name": "Ada", "email": "ada@example.org"}));
    assert!(view["branch"].as_str().unwrap().starts_with("lamplight/flaky-"), "{view}");
    assert!(view["created_at"].as_str().unwrap().ends_with('Z'), "{view}");
    assert!(view["last_seq"].as_u64().unwrap() >= 2, "{view}");
    let (_, log) = server.get(&format!("/sessions/{id}/log?limit=1")).await;
    let spec = &log["entries"][0]["event"]["spec"];
    assert_eq!((&spec["limits"]["steps"], &spec["limits"]["identical_calls"]), (&json!(3), &json!(3)));
    assert_eq!(spec["permissions"], "reject");
    let (_, repositories) = server.get("/repositories").await;
    assert_eq!(repositories["items"][0]["path"], json!(server.place.repository().canonicalize().unwrap()));
    server.clear().await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_the_reason() {
    let server = Server::start();
    let repository = server.place.repository();
    let check = async |body: Value, code: &str| {
        let (status, problem) = server.post("/sessions", body).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some(code)), "{problem}");
    };
    check(json!({"repository": "/nowhere", "prompt": "x"}), "repository_not_found").await;
    check(json!({"repository": repository, "prompt": "x", "agent": "nobody"}), "agent_unknown").await;
    check(json!({"repository": repository, "prompt": "x", "agent": "goose"}), "agent_not_installed").await;
    check(json!({"repository": repository, "prompt": " \n"}), "empty_prompt").await;
    let (_, list) = server.get("/sessions").await;
    assert_eq!(list, json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn one_key_makes_one_session() {
    let server = Server::start();
    let send = async |key: &str, prompt: &str| {
        let body = json!({"repository": server.place.repository(), "prompt": prompt});
        let request =
            server.request(Method::POST, "/api/v1/sessions").header("Idempotency-Key", key).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, first) = send("a", "x").await;
    assert_eq!(status, 201, "{first}");
    let (status, again) = send("a", "x").await;
    assert_eq!((status, &again["id"]), (201, &first["id"]));
    let (status, other) = send("a", "y").await;
    assert_eq!((status, other["code"].as_str()), (422, Some("idempotency_key_reused")), "{other}");
    let (status, _) = send(&"k".repeat(300), "x").await;
    assert_eq!(status, 400);
    let (_, second) = send("b", "x").await;
    assert!(second["id"] != first["id"]);
    server.clear().await;
}
