//! A streamed chat says what it cost although its client did not ask, and the client sees nothing of that.

use crate::door::{Door, grant};
use crate::upstream::{Answer, Vendor, in_pieces, streaming};
use bytes::Bytes;
use lamplight_domain::transcript::Tokens;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(20);

const DELTAS: &str = concat!(
    ": PROCESSING\n\n",
    r#"data: {"id":"c","model":"gpt-5.1","choices":[{"index":0,"delta":{"content":"é \"usage\""}}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"c","model":"gpt-5.1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
);
const USAGE: &str = concat!(
    r#"data: {"id":"c","model":"gpt-5.1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}"#,
    "\n\n",
);
const DONE: &str = "data: [DONE]\n\n";

fn spent() -> Vec<(String, Tokens)> {
    vec![("gpt-5.1".to_owned(), Tokens { input: 10, output: 3, cached: 4, ..Tokens::default() })]
}

async fn door(vendor: &Vendor) -> Door {
    Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await
}

/// Asks once; what the vendor received, what the client got, and what the ledger was told.
async fn ask(path: &str, body: &str, answer: Answer) -> (String, String, Vec<(String, Tokens)>) {
    let vendor = Vendor::with([answer]).await;
    let door = door(&vendor).await;
    let asking = reqwest::Client::new().post(door.url(path)).body(body.to_owned()).send().await.unwrap();
    let got = String::from_utf8(asking.bytes().await.unwrap().to_vec()).unwrap();
    let received = vendor.received().remove(0);
    let length = format!("content-length: {}", received.body.len());
    assert!(received.headers.contains(&length), "{length}: {:?}", received.headers);
    (String::from_utf8(received.body.to_vec()).unwrap(), got, door.used())
}

#[tokio::test]
async fn a_stream_that_does_not_ask_is_counted_and_gets_every_other_byte() {
    let asked = "{ \"model\":\"m\",\t\"stream\" : true, \"messages\":[] }\n";
    let sent = "{ \"model\":\"m\",\t\"stream\" : true, \"messages\":[] ,\"stream_options\":{\"include_usage\":true}}\n";
    let whole = [DELTAS, USAGE, DONE].concat();
    for path in ["/openai/v1/chat/completions", "/openai/v1/completions"] {
        for length in [whole.len(), 97, 7, 1] {
            let (received, got, used) = ask(path, asked, in_pieces(&whole, length)).await;
            assert_eq!((received.as_str(), got), (sent, [DELTAS, DONE].concat()), "in pieces of {length}");
            assert_eq!(used, spent());
        }
    }
}

#[tokio::test]
async fn a_stream_that_asks_by_itself_passes_both_ways_unchanged() {
    let whole = [DELTAS, USAGE, DONE].concat();
    let asked = "{\"model\":\"m\",\"stream\":true, \"stream_options\": {\"include_usage\":true}}";
    let (received, got, used) = ask("/openai/v1/chat/completions", asked, in_pieces(&whole, 7)).await;
    assert_eq!((received.as_str(), got, used), (asked, whole, spent()));
}

#[tokio::test]
async fn what_has_no_such_option_or_does_not_stream_passes_unchanged() {
    let document = r#"{"model":"gpt-5.1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    for (path, asked) in [
        ("/openai/v1/chat/completions", "{\"model\":\"m\",\"stream\": false}"),
        ("/openai/v1/responses", "{\"model\":\"m\",\"stream\":true}"),
        ("/openai/v1/embeddings", "{\"model\":\"m\",\"stream\":true}"),
        ("/anthropic/v1/messages", "{\"model\":\"m\",\"stream\":true}"),
    ] {
        let answer = Answer::Whole(200, "application/json", Bytes::from_static(document.as_bytes()));
        let (received, got, _) = ask(path, asked, answer).await;
        assert_eq!((received.as_str(), got.as_str()), (asked, document), "{path}");
    }
    // A vendor that answers with a document although it was to stream, and with an error.
    for status in [200, 400] {
        let answer = Answer::Whole(status, "application/json", Bytes::from_static(document.as_bytes()));
        let (_, got, _) =
            ask("/openai/v1/chat/completions", "{\"model\":\"m\",\"stream\":true}", answer).await;
        assert_eq!(got, document);
    }
    // Another's events.
    let (_, got, _) =
        ask("/openai/v1/responses", "{\"model\":\"m\",\"stream\":true}", in_pieces(USAGE, 7)).await;
    assert_eq!(got, USAGE);
}

#[tokio::test]
async fn each_event_comes_before_the_next_is_said_and_what_breaks_off_comes_as_far_as_it_was_said() {
    let (pieces, answer) = streaming();
    let vendor = Vendor::with([answer]).await;
    let door = door(&vendor).await;
    let mut answer = reqwest::Client::new()
        .post(door.url("/openai/v1/chat/completions"))
        .body("{\"model\":\"m\",\"stream\":true}")
        .send()
        .await
        .unwrap();
    for number in 0..3 {
        let said = Bytes::from(format!("data: {{\"choices\":[{number}],\"usage\":null}}\n\n"));
        pieces.send(Ok(said.clone())).await.unwrap();
        let heard = tokio::time::timeout(SOON, answer.chunk()).await.expect("the event is held back");
        assert_eq!(heard.unwrap(), Some(said));
    }
    let event = Bytes::from_static(b"data: {\"choices\":[4],\"usage\":null}\n\n");
    let part = "data: {\"choices\":[";
    let said = [USAGE.as_bytes(), &event, part.as_bytes()].concat();
    pieces.send(Ok(said.into())).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap(), Some(event));
    pieces.send(Err(io::Error::other("the vendor dies"))).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap(), Some(part.into()));
    assert!(answer.chunk().await.is_err());
    door.settled().await;
    assert_eq!(door.used(), spent());
}

#[tokio::test]
async fn a_chat_of_unknown_length_is_read_and_what_cannot_be_read_is_refused() {
    let vendor = Vendor::with([in_pieces(USAGE, 7)]).await;
    let door = door(&vendor).await;
    let client = reqwest::Client::new();
    let url = door.url("/openai/v1/chat/completions");
    let chunks = futures::stream::iter(["{\"model\":\"m\",\"stream\"", ":true}"].map(Ok::<_, io::Error>));
    let answer = client.post(&url).body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
    let received = vendor.received().remove(0);
    assert_eq!(
        received.body,
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
    );
    assert_eq!(door.used(), spent());

    let compressed = client.post(&url).header("content-encoding", "gzip").body("x").send().await.unwrap();
    assert_eq!(compressed.status(), 415);
    let long = format!(
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        (64 << 20) + 1
    );
    assert!(crate::models::raw(&door.address, &long).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(vendor.received().len(), 0);
}

/// A session's chats share a bounded piece of memory: what is too much at once waits, and others do not.
#[tokio::test]
async fn chats_wait_for_memory_and_get_it() {
    let vendor = Vendor::with((0..8).map(|_| in_pieces(USAGE, 1000))).await;
    let door = door(&vendor).await;
    let client = reqwest::Client::new();
    let body = format!("{{\"model\":\"m\",\"stream\":true,\"messages\":\"{}\"}}", "x".repeat(40 << 20));
    let asking =
        (0..3).map(|_| client.post(door.url("/openai/v1/chat/completions")).body(body.clone()).send());
    for answer in futures::future::join_all(asking).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
    assert_eq!(door.used().len(), 3);
}
