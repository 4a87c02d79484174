//! Every refusal is a problem with a stable code and what to do.

use crate::support::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

#[tokio::test]
async fn refusals_are_problems() {
    let server = Server::start();
    let id = "01JD0000000000000000000000";
    let check = async |method: Method, path: &str, body: Option<&str>, status: u16, code: &str| {
        let mut request = server.request(method, &format!("/api/v1{path}"));
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers()[header::CONTENT_TYPE].clone();
        let answered = answer.status().as_u16();
        let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
        assert_eq!(kind, "application/problem+json");
        assert_eq!(problem["status"], status);
        assert!(problem["what_to_do"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    };
    check(Method::GET, "/nothing", None, 404, "route_not_found").await;
    check(Method::PUT, "/sessions", None, 405, "method_not_allowed").await;
    check(Method::GET, &format!("/sessions/{id}"), None, 404, "session_not_found").await;
    check(Method::GET, "/sessions/what", None, 404, "session_not_found").await;
    check(Method::GET, &format!("/sessions/{id}/log"), None, 404, "session_not_found").await;
    check(Method::GET, &format!("/sessions/{id}/events"), None, 404, "session_not_found").await;
    check(Method::POST, &format!("/sessions/{id}/stop"), None, 404, "session_not_found").await;
    check(Method::POST, &format!("/sessions/{id}/end"), None, 404, "session_not_found").await;
    check(Method::POST, &format!("/sessions/{id}/merge"), None, 404, "session_not_found").await;
    check(Method::GET, &format!("/sessions/{id}/diff"), None, 404, "session_not_found").await;
    check(
        Method::POST,
        &format!("/sessions/{id}/prompts"),
        Some(r#"{"text":"x"}"#),
        404,
        "session_not_found",
    )
    .await;
    check(Method::DELETE, &format!("/sessions/{id}/prompts/{id}"), None, 404, "session_not_found").await;
    check(Method::DELETE, &format!("/sessions/{id}/prompts/what"), None, 404, "prompt_not_found").await;
    check(Method::GET, "/sessions?phase=sleepy", None, 400, "invalid_request").await;
    check(Method::GET, "/sessions?colour=red", None, 400, "invalid_request").await;
    check(Method::GET, &format!("/sessions/{id}/log?after=1&before=2"), None, 400, "invalid_request").await;
    check(Method::POST, "/sessions", Some("{"), 400, "invalid_request").await;
    check(
        Method::POST,
        "/sessions",
        Some(r#"{"repository":"/x","prompt":"x","colour":1}"#),
        400,
        "invalid_request",
    )
    .await;
    check(Method::POST, "/sessions", None, 415, "invalid_request").await;
    let large = json!({"repository": "/x", "prompt": "x".repeat(1 << 20)}).to_string();
    check(Method::POST, "/sessions", Some(&large), 413, "body_too_large").await;
    check(Method::GET, "/events", None, 426, "websocket_required").await;
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let server = Server::start();
    let health = server.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    let (_, status) = server.get("/status").await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["provider"], "local");
    assert_eq!(status["default_agent"], "scripted");
    assert_eq!(status["models_configured"], json!([]));
    assert_eq!(status["scripted_model"], false);
    assert_eq!(status["person"], json!({"name": "Ada", "email": "ada@example.org"}));
    let (_, agents) = server.get("/agents").await;
    let names: Vec<_> =
        agents["items"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    for name in ["opencode", "claude", "codex", "goose", "scripted"] {
        assert!(names.contains(&name), "{names:?}");
    }
}
