//! An answer that its client or its vendor leaves before it says what it used is counted by what was seen: never lost, never free.

use crate::door::{Door, Purse, grant};
use crate::upstream::{Answer, Vendor, in_pieces, streaming};
use bytes::Bytes;
use lamplight_gateway::{ModelPrice, Secret, Tariff, Upstream, Upstreams};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(20);
/// For which a vendor may say nothing, where it is about that.
const SILENCE: Duration = Duration::from_millis(300);
/// What Anthropic begins with.
const START: &str = r#"{"type":"message_start","message":{"model":"ours","content":[],"usage":{"input_tokens":70,"output_tokens":1}}}"#;
/// 40 bytes, which are about ten tokens.
const ASKED: &str = r#"{"model":"ours","max_tokens":100,"a":"b"}"#;
const PROBABLE: u64 = (ASKED.len() as u64 + 1).div_ceil(4);

/// A door whose session may spend much, before a vendor whose model costs 1 $ in and 2 $ out for a million tokens.
async fn door(upstreams: Upstreams) -> (Door, Purse) {
    door_with_patience(upstreams, SOON).await
}

async fn door_with_patience(upstreams: Upstreams, silence: Duration) -> (Door, Purse) {
    let price = ModelPrice {
        upstream: None,
        model: "ours".into(),
        tier: None,
        input: 1.0,
        cached: None,
        cache_written: None,
        output: 2.0,
    };
    let upstreams = Upstreams { prices: vec![price], ..upstreams };
    let door = Door::with_patience(grant(Path::new("/nowhere")), upstreams, silence).await;
    let purse = Purse::of(1_000_000);
    *door.ledger.money.lock().unwrap() = Some(purse.clone());
    (door, purse)
}

fn url(door: &Door, path: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new().post(door.url(path)).body(ASKED)
}

/// What is written down after these events, whoever leaves then: input, output, and whether it is in part guessed.
async fn check(path: &str, events: &[&str], input: u64, output: u64, is_estimated: bool) {
    for client_leaves in [true, false] {
        let (pieces, stream) = streaming();
        let vendor = Vendor::with([stream]).await;
        let (door, purse) = door(vendor.upstreams()).await;
        let mut answer = url(&door, path).send().await.unwrap();
        for event in events {
            pieces.send(Ok(Bytes::from(format!("data: {event}\n\n")))).await.unwrap();
            answer.chunk().await.unwrap().unwrap();
        }
        if client_leaves {
            drop(answer);
            tokio::time::timeout(SOON, pieces.closed()).await.unwrap();
        } else {
            pieces.send(Err(std::io::Error::other("the vendor dies"))).await.unwrap();
            answer.bytes().await.unwrap_err();
        }
        door.settled().await;
        let [(model, tokens)] = &door.used()[..] else { panic!("{path}: {:?}", door.used()) };
        assert_eq!(
            (model.as_str(), tokens.input, tokens.output),
            ("ours", input, output),
            "{path} {events:?}"
        );
        let cost = input + 2 * output;
        assert_eq!(door.costs(), [(Some(cost), Some("configuration 1/1/1/2+1".into()), is_estimated)]);
        assert_eq!((purse.sums().spent, purse.sums().reserved), (cost, 0), "{path}");
    }
}

#[tokio::test]
async fn what_was_seen_is_counted_in_every_protocol() {
    let chat =
        r#"{"model":"ours","choices":[{"delta":{"role":"assistant","content":"nine byte"}}],"usage":null}"#;
    check("/openai/v1/chat/completions", &[chat], PROBABLE, 3, true).await;
    check("/openai/v1/chat/completions", &[chat, chat], PROBABLE, 5, true).await;
    let call = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"nine byte"}}]}}]}"#;
    check("/openai/v1/chat/completions", &[call], PROBABLE, 3, true).await;
    let usage = r#"{"model":"ours","choices":[],"usage":{"prompt_tokens":70,"completion_tokens":4}}"#;
    check("/openai/v1/chat/completions", &[chat, usage, chat], 70, 5, true).await;

    let created = r#"{"type":"response.created","response":{"model":"ours","usage":null}}"#;
    let delta = r#"{"type":"response.output_text.delta","delta":"nine byte"}"#;
    let done = r#"{"type":"response.output_text.done","text":"nine byte"}"#;
    check("/openai/v1/responses", &[created], PROBABLE, 0, true).await;
    check("/openai/v1/responses", &[created, delta, done], PROBABLE, 3, true).await;

    let delta =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"nine byte"}}"#;
    let thought = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"nine byte"}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
    check("/anthropic/v1/messages", &[START, delta, thought], 70, 5, true).await;
    check("/anthropic/v1/messages", &[START, delta, end], 70, 9, false).await;

    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"nine byte"}]}}],"modelVersion":"ours"}"#;
    let usage = r#"{"candidates":[{"content":{"parts":[{"text":"nine byte"}]}}],"usageMetadata":{"promptTokenCount":70,"candidatesTokenCount":6}}"#;
    let gemini = "/gemini/v1beta/models/ours:streamGenerateContent?alt=sse";
    check(gemini, &[chunk], PROBABLE, 3, true).await;
    check(gemini, &[chunk, usage], 70, 6, false).await;
}

#[tokio::test]
async fn a_document_without_usage_and_what_is_no_answer_of_a_model_are_counted_by_what_was_seen() {
    for (kind, body, output) in [
        ("application/json", r#"{"model":"ours","choices":[{"message":{"content":"nine byte"}}]}"#, 3),
        ("application/json", r#"{"model":"ours","choices":[{"message":{"content":"ni"#, 13),
        ("text/plain", "nine byte", 3),
    ] {
        let vendor = Vendor::with([Answer::Whole(200, kind, Bytes::from(body))]).await;
        let (door, _) = door(vendor.upstreams()).await;
        let answer = url(&door, "/openai/v1/chat/completions").send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), body);
        let used: Vec<_> = door.used().iter().map(|(_, tokens)| (tokens.input, tokens.output)).collect();
        assert_eq!((used, door.costs()[0].2), (vec![(PROBABLE, output)], true), "{body}");
    }
}

/// Whoever asks and does not wait has asked all the same. Whom the vendor refuses, or does not hear, has not.
#[tokio::test]
async fn a_client_that_leaves_before_there_is_an_answer_pays_for_what_it_asked() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", silent.local_addr().unwrap());
    let openai = Some(Upstream { base, key: Secret::new("key"), tariff: Tariff::Free });
    let (door, purse) = door(Upstreams { openai, ..Upstreams::default() }).await;
    let mut asking = JoinSet::new();
    asking.spawn(url(&door, "/openai/v1/responses").send());
    let (mut socket, _) = silent.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(ASKED.as_bytes()) {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
    }
    asking.abort_all();
    tokio::time::timeout(SOON, socket.read_to_end(&mut request)).await.unwrap().unwrap();
    door.settled().await;
    assert_eq!((purse.sums().spent, purse.sums().reserved), (PROBABLE, 0));
    assert_eq!(door.costs(), [(Some(PROBABLE), Some("configuration 1/1/1/2+1".into()), true)]);
}

#[tokio::test]
async fn what_the_vendor_refuses_costs_nothing() {
    for status in [400, 429, 500, 503, 529, 418] {
        let refused = Answer::Whole(status, "application/json", Bytes::from_static(b"{\"usage\":1}"));
        let vendor = Vendor::with([refused]).await;
        let (door, purse) = door(vendor.upstreams()).await;
        assert_eq!(url(&door, "/openai/v1/responses").send().await.unwrap().status(), status);
        door.settled().await;
        assert_eq!((door.used(), purse.sums().spent, purse.sums().reserved), (vec![], 0, 0), "{status}");
    }
}

/// It keeps the connection and says nothing more: whoever asked is told so, and is not kept waiting for ever.
#[tokio::test]
async fn a_vendor_that_falls_silent_is_left_and_what_it_said_is_counted_once() {
    let (pieces, stream) = streaming();
    let vendor = Vendor::with([stream]).await;
    let (door, purse) = door_with_patience(vendor.upstreams(), SILENCE).await;
    let mut answer = url(&door, "/anthropic/v1/messages").send().await.unwrap();
    pieces.send(Ok(Bytes::from(format!("data: {START}\n\n")))).await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    tokio::time::timeout(SOON, answer.chunk()).await.expect("it is told").unwrap_err();
    tokio::time::timeout(SOON, pieces.closed()).await.expect("the vendor is let go");
    door.settled().await;
    let used: Vec<_> = door.used().iter().map(|(_, tokens)| (tokens.input, tokens.output)).collect();
    assert_eq!((used, purse.sums().spent, purse.sums().reserved), (vec![(70, 1)], 72, 0));

    // It takes the request, and does not answer.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", silent.local_addr().unwrap());
    let openai = Some(Upstream { base, key: Secret::new("key"), tariff: Tariff::Free });
    let (door, purse) = door_with_patience(Upstreams { openai, ..Upstreams::default() }, SILENCE).await;
    let asked = url(&door, "/openai/v1/responses").send();
    let answer = tokio::time::timeout(SOON, asked).await.expect("it is told").unwrap();
    assert_eq!(answer.status(), 502);
    door.settled().await;
    assert_eq!((door.used(), purse.sums().spent, purse.sums().reserved), (vec![], 0, 0));
}

/// What is no event, or none that anybody knows, passes as it is.
#[tokio::test]
async fn an_event_stream_that_is_damaged_passes_unchanged_and_is_counted_once() {
    for (events, input) in [
        (format!("data: {START}\n\ndata: {{\"type\":\"content_block_delta\",\"delta\n\n"), 70),
        (format!("data: {START}\n\nevent\n\n: nothing\n\ndata: [1,2\r\rdata\n\nid: \u{0}\n\n"), 70),
        (
            format!(
                "data: {START}\n\ndata: {{\"type\":\"message_delta\",\"usage\":{{\"output_tokens\":\"many\"}}}}\n\n"
            ),
            70,
        ),
        (format!("data: {START}\n\ndata: {{\"type\":\"message_stop\"}}"), 70),
        ("data: no\n\n".repeat(1000), PROBABLE),
        ("no newline".repeat(1000), PROBABLE),
    ] {
        let vendor = Vendor::with([in_pieces(&events, 7)]).await;
        let (door, purse) = door(vendor.upstreams()).await;
        let answer = url(&door, "/anthropic/v1/messages").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), events);
        door.settled().await;
        let [(_, tokens)] = &door.used()[..] else { panic!("{events}: {:?}", door.used()) };
        assert_eq!(tokens.input, input, "{events}");
        let cost = tokens.input + 2 * tokens.output;
        assert_eq!((purse.sums().spent, purse.sums().reserved), (cost, 0), "{events}");
    }
}
