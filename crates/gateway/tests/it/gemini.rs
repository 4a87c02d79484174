//! Gemini: its paths, its keys, which may be in the address, and its way to say what was used.

use crate::door::{Door, grant};
use crate::models::raw;
use crate::upstream::{Answer, KEY, Vendor, in_pieces};
use crate::usage::{cost, one_with};
use bytes::Bytes;
use lamplight_gateway::Upstreams;
use std::path::Path;

const STREAM: &str = "/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent";

#[tokio::test]
async fn a_request_reaches_google_as_it_is_but_for_the_key() {
    let body = "{ \"contents\":[] }\n";
    for (method, asked, reached) in [
        ("POST", "models/gemini-2.5-pro:generateContent", "models/gemini-2.5-pro:generateContent"),
        ("POST", "models/g:generateContent?key=lamplight", "models/g:generateContent"),
        (
            "POST",
            "models/g:streamGenerateContent?key=a&alt=sse&key=b",
            "models/g:streamGenerateContent?alt=sse",
        ),
        ("POST", "models/g:streamGenerateContent?alt=sse", "models/g:streamGenerateContent?alt=sse"),
        ("POST", "models/g:streamGenerateContent?&", "models/g:streamGenerateContent"),
        ("POST", "models/g:countTokens?key", "models/g:countTokens"),
        ("GET", "models?pageSize=2&key=x&pageToken=a%2Bb", "models?pageSize=2&pageToken=a%2Bb"),
        ("GET", "models/gemini-2.5-pro", "models/gemini-2.5-pro"),
    ] {
        let vendor = Vendor::with([Answer::Whole(200, "application/json", Bytes::from_static(b"{}"))]).await;
        let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
        let answer = reqwest::Client::new()
            .request(method.parse().unwrap(), door.url(&format!("/gemini/v1beta/{asked}")))
            .header("x-goog-api-key", "lamplight")
            .header("x-goog-api-client", "google-genai-sdk/3")
            .header("x-goog-fieldmask", "candidates")
            .header("x-goog-user-project", "another")
            .header("x-http-method-override", "DELETE")
            .header("authorization", "Bearer another")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{asked}");
        let received = vendor.received().remove(0);
        assert_eq!(received.line, format!("{method} /v1beta/{reached}"));
        assert_eq!(received.body, body);
        let mut headers = received.headers;
        headers.retain(|header| !header.starts_with("host:"));
        headers.sort();
        let key = format!("x-goog-api-key: {KEY}");
        let length = format!("content-length: {}", body.len());
        assert_eq!(headers, ["accept: */*", &length, "x-goog-api-client: google-genai-sdk/3", &key]);
    }
}

#[tokio::test]
async fn nothing_but_models_and_nothing_that_hides_the_cost() {
    let vendor = Vendor::with([]).await;
    let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
    for asked in [
        "GET files",
        "POST files",
        "POST cachedContents",
        "POST models/g:batchGenerateContent",
        "POST models/g:predictLongRunning",
        "POST models/g",
        "POST models/:generateContent",
        "POST models/../files:generateContent",
        "POST models/%2e%2e/files:generateContent",
        "POST models/g%3AgenerateContent",
        "GET models/g:generateContent/operations/1",
        "DELETE models/g",
        "POST models/g:generateContent?fields=candidates",
        "POST models/g:generateContent?$fields=candidates",
        "POST models/g:generateContent?alt=proto",
        "POST models/g:generateContent?alt=sse&alt=media",
        "POST models/g:generateContent?access_token=x",
        "POST models/g:generateContent?%6bey=x",
        "POST models/g:generateContent?callback=x",
    ] {
        let (method, path) = asked.split_once(' ').unwrap();
        let head = format!(
            "{method} /gemini/v1beta/{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let said = raw(&door.address, &head).await;
        assert!(said.starts_with("HTTP/1.1 404 ") && said.contains("\"NOT_FOUND\""), "{asked}: {said}");
    }
    assert_eq!(vendor.received().len(), 0);
    assert!(door.refused().iter().any(|what| what.starts_with("\"fields\" in the query")));
}

#[tokio::test]
async fn without_a_key_google_s_clients_read_what_to_do() {
    let door = Door::open(grant(Path::new("/nowhere")), Upstreams::default()).await;
    let answer = reqwest::Client::new().post(door.url(STREAM)).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let error: serde_json::Value = answer.json().await.unwrap();
    let message = "no model key is configured: run `lamplight keys set gemini` where the Lamplight server runs, or set GEMINI_API_KEY there and restart it";
    assert_eq!(
        error,
        serde_json::json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})
    );
}

const FIRST: &str = r#"{"candidates": [{"content": {"parts": [{"text": "a } \" { \\"}], "role": "model"}}], "usageMetadata": {"promptTokenCount": 100, "thoughtsTokenCount": 7, "totalTokenCount": 107}, "modelVersion": "gemini-2.5-pro"}"#;
const SECOND: &str = r#"{"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"usage": {}}}}]}}], "modelVersion": "gemini-2.5-pro"}"#;
const LAST: &str = r#"{"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 64, "candidatesTokenCount": 20, "thoughtsTokenCount": 9, "toolUsePromptTokenCount": 5, "totalTokenCount": 134, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}]}, "modelVersion": "gemini-2.5-pro-2025"}"#;

#[tokio::test]
async fn the_last_chunk_counts_however_the_stream_comes() {
    let expected = one_with("gemini-2.5-pro-2025", [105, 29, 64], 0, 9);
    let events = format!("data: {FIRST}\r\n\r\ndata: {SECOND}\r\n\r\ndata: {LAST}\r\n\r\n");
    assert_eq!(cost(&format!("{STREAM}?alt=sse"), "text/event-stream", &events).await, expected);
    let array = format!("[{FIRST},\n{SECOND}\n,\r\n{LAST}\n]\n");
    assert_eq!(cost(STREAM, "application/json", &array).await, expected);
    let path = "/gemini/v1beta/models/gemini-2.5-pro:generateContent";
    assert_eq!(cost(path, "application/json", LAST).await, expected);
    let path = "/gemini/v1beta/models/gemini-2.5-pro:countTokens";
    assert_eq!(cost(path, "application/json", "{\"totalTokens\": 31}").await, []);
}

/// An array that ends in the middle costs what was said until then.
#[tokio::test]
async fn a_stream_that_breaks_off_costs_what_was_seen() {
    let array = format!("[{FIRST},\n{}", &LAST[..60]);
    let vendor = Vendor::with([Answer::Whole(200, "application/json", Bytes::from(array))]).await;
    let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
    let answer = reqwest::Client::new().post(door.url(STREAM)).body("{}").send().await.unwrap();
    answer.bytes().await.unwrap();
    assert_eq!(door.used(), one_with("gemini-2.5-pro", [100, 7, 0], 0, 7));

    let vendor = Vendor::with([in_pieces(&format!("data: {FIRST}\r\n\r\ndata: {{"), 9)]).await;
    let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
    let answer = reqwest::Client::new().post(door.url(&format!("{STREAM}?alt=sse"))).body("{}").send().await;
    answer.unwrap().bytes().await.unwrap();
    assert_eq!(door.used(), one_with("gemini-2.5-pro", [100, 7, 0], 0, 7));
}
