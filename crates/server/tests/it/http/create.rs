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
async fn a_sandbox_is_limited_as_asked_and_what_it_runs_into_is_told() {
    const LIMIT: u64 = 96 << 20;
    let server = Server::start();
    let request = json!({
        "repository": server.place.repository(), "prompt": "!run python3 -c 'bytearray(512 << 20)'; true\n!say done",
        "sandbox": {"memory_bytes": LIMIT, "processes": 200},
    });
    let (status, made) = server.post("/sessions", request).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["sandbox"], Value::Null);
    let id = made["id"].as_str().unwrap();
    server.until(id, "work_committed", 1).await;
    let view = server.view(id).await;
    assert_eq!(view["phase"], "done", "{view}");
    let wall = |name: &str| {
        let walls = view["sandbox"]["walls"].as_array().unwrap();
        walls.iter().find(|wall| wall["wall"] == name).unwrap_or_else(|| panic!("{name}: {view}")).clone()
    };
    assert_eq!(
        (&view["sandbox"]["unsafe"], &wall("system_calls")["strength"]),
        (&json!(false), &json!("enforced"))
    );
    let network = wall("network");
    let why = network["why"].as_str().unwrap_or_default();
    assert!(
        network["strength"] == "enforced" || why.starts_with("programs have to know the proxy: "),
        "{network}"
    );
    assert_eq!(wall("memory")["limit"], LIMIT);
    assert_eq!(
        wall("processes"),
        json!({"wall": "processes", "strength": "enforced", "why": null, "limit": 200, "by": null})
    );
    if wall("memory")["strength"] == "enforced" {
        let log = server.until(id, "noted", 1).await;
        let told = &log.last().unwrap()["event"]["text"];
        assert_eq!(told, "The sandbox ran into a limit: out of memory (limit 96 MiB).");
    }
    let text = server.place.say(&["show", id]);
    assert!(text.contains("sandbox     limited: ") && text.contains("disk soft"), "{text}");
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
    check(json!({"repository": repository, "prompt": "x", "sandbox": {"memory_bytes": 1}}), "sandbox_limits")
        .await;
    check(json!({"repository": repository, "prompt": "x", "image": "none-of-it"}), "image_unknown").await;
    check(json!({"repository": repository, "prompt": "x", "image": "../x"}), "invalid_request").await;
    check(json!({"repository": repository, "prompt": "x", "sandbox": {"memory": 1}}), "invalid_request")
        .await;
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
