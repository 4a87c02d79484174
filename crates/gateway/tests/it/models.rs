//! Asking models: what passes, what does not, and what a client reads when nobody answers.

use crate::door::{Door, grant};
use crate::upstream::{Answer, KEY, Vendor, streaming};
use bytes::Bytes;
use lamplight_gateway::{Gateway, Outside, Secret, Tariff, Upstream, Upstreams};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(20);
const ASKED: &str = r#"{"model":"m"}"#;

async fn door(upstreams: Upstreams) -> Door {
    Door::open(grant(Path::new("/nowhere")), upstreams).await
}

#[tokio::test]
async fn a_request_reaches_its_vendor_as_it_is_but_for_the_key() {
    let body = "{ \"model\":\"m\",\t\"messages\" : [] , \"n\": 1.0 }\n";
    for (asked, reached, key) in [
        (
            "/openai/v1/chat/completions?a=%7E&b",
            "POST /v1/chat/completions?a=%7E&b",
            format!("authorization: Bearer {KEY}"),
        ),
        ("/anthropic/v1/messages?beta=true", "POST /v1/messages?beta=true", format!("x-api-key: {KEY}")),
    ] {
        let vendor = Vendor::with([Answer::Whole(200, "application/json", Bytes::from_static(b"{}"))]).await;
        let door = door(vendor.upstreams()).await;
        let answer = reqwest::Client::new()
            .post(door.url(asked))
            .header("authorization", "Bearer lamplight")
            .header("x-api-key", "lamplight")
            .header("cookie", "a=b")
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("te", "trailers")
            .header("accept-encoding", "gzip, br")
            .header("openai-organization", "another")
            .header("anthropic-beta", "one")
            .header("anthropic-beta", "two")
            .header("x-stainless-lang", "js")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let received = &vendor.received()[0];
        assert_eq!(received.line, reached);
        assert_eq!(received.body, body);
        let mut headers = received.headers.clone();
        headers.retain(|header| !header.starts_with("host:"));
        headers.sort();
        let mut expected = vec![
            "accept: */*".to_owned(),
            "anthropic-beta: one".to_owned(),
            "anthropic-beta: two".to_owned(),
            key,
            format!("content-length: {}", body.len()),
            "x-stainless-lang: js".to_owned(),
        ];
        expected.sort();
        assert_eq!(headers, expected);
        assert!(
            received.headers.contains(&format!("host: {}", vendor.address.trim_start_matches("http://")))
        );
    }
}

#[tokio::test]
async fn an_answer_passes_unchanged_errors_included() {
    for (status, body) in [
        (200, "{\"id\" : 1}\n"),
        (400, "{\"error\":{\"code\":\"context_length_exceeded\"}}"),
        (429, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}"),
        (529, "overloaded"),
    ] {
        let vendor =
            Vendor::with([Answer::Whole(status, "application/json", Bytes::from_static(body.as_bytes()))])
                .await;
        let door = door(vendor.upstreams()).await;
        let answer =
            reqwest::Client::new().post(door.url("/anthropic/v1/messages")).body(ASKED).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.headers()["request-id"], "req_1");
        assert_eq!(answer.headers()["content-length"], body.len().to_string());
        assert!(!answer.headers().contains_key("set-cookie"));
        assert_eq!(answer.text().await.unwrap(), body);
    }
}

#[tokio::test]
async fn each_piece_of_an_answer_comes_before_the_next_is_said() {
    let (pieces, answer) = streaming();
    let vendor = Vendor::with([answer]).await;
    let door = door(vendor.upstreams()).await;
    let mut answer =
        reqwest::Client::new().post(door.url("/openai/v1/responses")).body(ASKED).send().await.unwrap();
    for number in 0..5 {
        let said = Bytes::from(format!("event: x\ndata: {{\"number\":{number}}}\n\n"));
        pieces.send(Ok(said.clone())).await.unwrap();
        let heard =
            tokio::time::timeout(SOON, answer.chunk()).await.expect("the piece is held back").unwrap();
        assert_eq!(heard, Some(said));
    }
    drop(pieces);
    assert_eq!(answer.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_vendor_that_dies_in_the_middle_is_not_taken_for_one_that_has_finished() {
    let (pieces, answer) = streaming();
    let vendor = Vendor::with([answer]).await;
    let door = door(vendor.upstreams()).await;
    let mut answer =
        reqwest::Client::new().post(door.url("/anthropic/v1/messages")).body(ASKED).send().await.unwrap();
    let start = Bytes::from_static(
        b"data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n",
    );
    pieces.send(Ok(start.clone())).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap(), Some(start));
    pieces.send(Err(io::Error::other("the vendor dies"))).await.unwrap();
    assert!(answer.chunk().await.is_err());
    // What was seen is paid for.
    door.settled().await;
    let [(model, tokens)] = &door.used()[..] else { panic!("{:?}", door.used()) };
    assert_eq!((model.as_str(), tokens.input, tokens.output), ("m", 9, 1));
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_saw_and_the_vendor_is_let_go() {
    let (pieces, answer) = streaming();
    let vendor = Vendor::with([answer]).await;
    let door = door(vendor.upstreams()).await;
    let mut answer =
        reqwest::Client::new().post(door.url("/anthropic/v1/messages")).body(ASKED).send().await.unwrap();
    let start = Bytes::from_static(
        b"data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n",
    );
    pieces.send(Ok(start)).await.unwrap();
    answer.chunk().await.unwrap();
    drop(answer);
    tokio::time::timeout(SOON, pieces.closed()).await.expect("the vendor speaks to nobody");
    door.settled().await;
    assert_eq!(door.used().len(), 1);
}

#[tokio::test]
async fn without_a_key_the_client_reads_what_to_do_and_does_not_try_again() {
    let door = door(Upstreams::default()).await;
    let client = reqwest::Client::new();
    let sentence = |vendor, variable| {
        format!(
            "no model key is configured: run `lamplight keys set {vendor}` where the Lamplight server runs, or set {variable} there and restart it"
        )
    };
    let answer = client.post(door.url("/openai/v1/chat/completions")).body(ASKED).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["x-should-retry"], "false");
    let error: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(
        error,
        serde_json::json!({"error": {"message": sentence("openai", "OPENAI_API_KEY"), "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}})
    );
    let answer = client.post(door.url("/anthropic/v1/messages")).body(ASKED).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let error: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(
        error,
        serde_json::json!({"type": "error", "error": {"type": "authentication_error", "message": sentence("anthropic", "ANTHROPIC_API_KEY")}})
    );
}

#[tokio::test]
async fn nothing_but_models_is_opened_by_the_key() {
    let vendor = Vendor::with([]).await;
    let door = door(vendor.upstreams()).await;
    let client = reqwest::Client::new();
    for (method, path) in [
        ("GET", "/openai/v1/files"),
        ("POST", "/openai/v1/batches"),
        ("GET", "/openai/v1/responses/resp_1"),
        ("DELETE", "/openai/v1/models/m"),
        ("GET", "/openai/v1/models/../files"),
        ("GET", "/openai/v1/models/%2e%2e/files"),
        ("GET", "/openai/v1/models//files"),
        ("POST", "/openai/v1/chat%2Fcompletions"),
        ("POST", "/anthropic/v1/messages/batches"),
        ("GET", "/anthropic/v1/organizations/api_keys"),
        ("POST", "/anthropic/v1/chat/completions"),
        ("POST", "/anthropic/messages"),
        ("POST", "/v1/messages"),
    ] {
        // A client library would shorten some of these paths itself.
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert!(raw(&door.address, &head).await.starts_with("HTTP/1.1 404 "), "{method} {path}");
    }
    assert_eq!(vendor.received().len(), 0);
    assert!(door.refused()[0].starts_with("GET /openai/v1/files is none of"));

    let mut without_models = grant(Path::new("/nowhere"));
    without_models.models = false;
    let door = Door::open(without_models, vendor.upstreams()).await;
    let answer = client.post(door.url("/openai/v1/responses")).body(ASKED).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(vendor.received().len(), 0);
}

#[tokio::test]
async fn a_web_socket_is_declined_so_that_the_agent_uses_http() {
    let vendor = Vendor::with([]).await;
    let door = door(vendor.upstreams()).await;
    let head = "GET /openai/v1/responses HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert!(raw(&door.address, head).await.starts_with("HTTP/1.1 426 "));
    assert_eq!(vendor.received().len(), 0);
}

#[tokio::test]
async fn a_vendor_that_cannot_be_reached_is_said_to_be_without_saying_where_it_is() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/secret-path", closed.local_addr().unwrap());
    drop(closed);
    let door = door(Upstreams {
        openai: Some(Upstream { base, key: Secret::new(KEY), tariff: Tariff::Free }),
        ..Upstreams::default()
    })
    .await;
    let answer =
        reqwest::Client::new().post(door.url("/openai/v1/responses")).body(ASKED).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.unwrap();
    assert!(text.contains("cannot be reached") && !text.contains("secret-path"), "{text}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_and_its_secrets_are_not_repeated() {
    for (base, key) in [
        ("no url", KEY),
        ("ftp://example.org", KEY),
        ("https://user:hidden-word@example.org/v1", KEY),
        ("https://example.org/v1?key=hidden-word", KEY),
        ("https://example.org/v1", "sk-canary-3b7f9e\nhidden-word"),
    ] {
        let upstreams = Upstreams {
            openai: Some(Upstream { base: base.to_owned(), key: Secret::new(key), tariff: Tariff::Listed }),
            ..Upstreams::default()
        };
        let printed = format!("{upstreams:?}");
        assert!(!printed.contains(KEY), "{printed}");
        let error = format!("{:?}", Gateway::new(upstreams, Outside::default()).err().expect(base));
        assert!(
            error.contains("OPENAI_API_KEY") && !error.contains(KEY) && !error.contains("hidden-word"),
            "{error}"
        );
    }
}

/// Everything that this process logs, at the finest level, libraries included.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_is_in_no_log_whatever_happens() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _while_this_test_runs = tracing::subscriber::set_default(subscriber.finish());

    let vendor = Vendor::with([Answer::Whole(200, "application/json", Bytes::from_static(b"{}"))]).await;
    let mut upstreams = vendor.upstreams();
    upstreams.openai.as_mut().unwrap().base = "http://127.0.0.1:1/v1".to_owned();
    let door = door(upstreams).await;
    for (path, status) in
        [("/anthropic/v1/messages", 200), ("/anthropic/v1/messages", 418), ("/openai/v1/responses", 502)]
    {
        let answer = reqwest::Client::new().post(door.url(path)).body(ASKED).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(!format!("{answer:?} {:?}", answer.headers()).contains(KEY));
        assert!(!answer.text().await.unwrap().contains(KEY));
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a model provider was not reached"), "the log was not read: {text}");
    assert!(!text.contains(KEY), "{text}");
}

/// Everything that is answered to `request`, sent as it is.
pub(crate) async fn raw(address: &str, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, socket.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
