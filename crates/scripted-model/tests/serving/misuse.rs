//! Requests that the vendor would refuse, and the shape of the refusal.

use lamplight_scripted_model::Script;
use serde_json::{Value, json};

use crate::agent::{PROTOCOLS, Protocol};
use crate::client::Server;

const ANTHROPIC: &[&str] = &["anthropic-version: 2023-06-01"];

/// A refusal says the given words, in the vendor's own shape.
async fn check(protocol: Protocol, headers: &[&str], request: Value, status: u16, words: &str) {
    let server = Server::built_in().await;
    let response = server.post(protocol.path(), headers, &request).await;
    let body = response.json();
    assert_eq!(response.status, status, "{body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    match protocol {
        Protocol::Chat | Protocol::Responses => assert_eq!(body["error"]["type"], "invalid_request_error"),
        Protocol::Messages => {
            assert_eq!(
                (&body["type"], &body["error"]["type"]),
                (&json!("error"), &json!("invalid_request_error"))
            );
        }
    }
    let record = &server.get("/_scripted/requests").await[0];
    assert_eq!((&record["status"], &record["problem"]), (&json!(status), &json!(message)));
}

#[tokio::test]
async fn a_chat_has_to_answer_its_calls() {
    let call = json!({"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function",
        "function": {"name": "bash", "arguments": "{}"}}]});
    let user = json!({"role": "user", "content": "go"});
    let stray = json!({"role": "tool", "tool_call_id": "call_2", "content": ""});
    let refused = [
        (json!([user, call]), "did not have response messages: call_1"),
        (json!([user, call, user]), "did not have response messages: call_1"),
        (json!([user, stray]), "must be a response to a preceeding message"),
        (json!([]), "at least one message"),
        (json!([{"role": "robot", "content": ""}]), "'robot'"),
    ];
    for (messages, words) in refused {
        check(Protocol::Chat, &[], json!({"model": "m", "messages": messages}), 400, words).await;
    }
    check(Protocol::Chat, &[], json!({"messages": [user]}), 400, "must provide a model").await;
}

#[tokio::test]
async fn responses_have_to_answer_their_calls_and_bring_their_history() {
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "bash", "arguments": "{}"});
    let stray = json!({"type": "function_call_output", "call_id": "call_2", "output": ""});
    let refused = [
        (json!({"input": [call]}), "No tool output found for function call call_1."),
        (json!({"input": [stray]}), "No tool call found for function call output with call_id call_2."),
        (json!({"input": "go", "previous_response_id": "resp_1"}), "'resp_1' not found"),
        (json!({}), "Missing required parameter: 'input'"),
    ];
    for (mut request, words) in refused {
        request["model"] = json!("m");
        check(Protocol::Responses, &[], request, 400, words).await;
    }
}

#[tokio::test]
async fn messages_have_to_answer_their_calls() {
    let user = json!({"role": "user", "content": "go"});
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "b", "input": {}}]});
    let stray = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "content": ""}]});
    let refused = [
        (json!([user, call]), "messages.1: `tool_use` ids were found without `tool_result`"),
        (json!([user, call, user]), "messages.1: `tool_use` ids were found without `tool_result`"),
        (json!([user, stray]), "unexpected `tool_use_id` found in `tool_result` blocks: toolu_2"),
        (json!([]), "at least one message"),
    ];
    for (messages, words) in refused {
        let request = json!({"model": "m", "max_tokens": 10, "messages": messages});
        check(Protocol::Messages, ANTHROPIC, request, 400, words).await;
    }
    check(Protocol::Messages, ANTHROPIC, json!({"model": "m", "messages": [user]}), 400, "max_tokens").await;
    let request = json!({"model": "m", "max_tokens": 10, "messages": [user]});
    check(Protocol::Messages, &[], request, 400, "anthropic-version").await;
}

#[tokio::test]
async fn a_scenario_that_does_not_exist_is_refused() {
    let user = json!({"role": "user", "content": "[[scenario:typo]]"});
    check(Protocol::Chat, &[], json!({"model": "m", "messages": [user]}), 400, "no scenario named 'typo'")
        .await;
}

#[tokio::test]
async fn the_key_is_asked_for_and_not_kept() {
    let server = Server::start(Script { key: Some("sk-right".into()), ..Script::built_in() }).await;
    let bare = json!({"model": "m", "max_tokens": 10, "input": "[[scenario:text]]",
                      "messages": [{"role": "user", "content": "[[scenario:text]]"}]});
    for protocol in PROTOCOLS {
        let attempts: [(&[&str], u16); 4] = [
            (&[ANTHROPIC[0]], 401),
            (&[ANTHROPIC[0], "authorization: Bearer sk-wrong"], 401),
            (&[ANTHROPIC[0], "authorization: Bearer sk-right"], 200),
            (&[ANTHROPIC[0], "x-api-key: sk-right"], 200),
        ];
        for (headers, status) in attempts {
            let response = server.post(protocol.path(), headers, &bare).await;
            assert_eq!(response.status, status, "{protocol:?} {headers:?} {}", response.body);
        }
    }
    let records = server.get("/_scripted/requests?bodies=true").await;
    let credentials: Vec<_> = (0..4).map(|n| records[n]["credential"].as_str()).collect();
    assert_eq!(credentials, [None, Some("bearer"), Some("bearer"), Some("x-api-key")]);
    assert!(!records.to_string().contains("sk-"), "{records}");
}

#[tokio::test]
async fn models_are_listed_and_tokens_counted_under_any_prefix() {
    let server = Server::built_in().await;
    for path in ["/v1/models", "/openai/v1/models", "/a/b/models"] {
        assert_eq!(server.get(path).await["data"][0]["id"], "scripted");
    }
    let counted =
        server.post("/anthropic/v1/messages/count_tokens", ANTHROPIC, &json!({"model": "m"})).await.json();
    assert_eq!(counted, json!({"input_tokens": 4}));
    assert_eq!(server.post("/v1/embeddings", &[], &json!({})).await.status, 404);
}
