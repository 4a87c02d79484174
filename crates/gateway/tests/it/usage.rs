//! What answers cost, read on their way: the shapes are the vendors' own, as their API references print them.

use crate::door::{Door, grant};
use crate::upstream::{Answer, Vendor, in_pieces};
use bytes::Bytes;
use lamplight_domain::transcript::Tokens;
use std::path::Path;
use tokio::sync::mpsc;

const EVENTS: &str = "text/event-stream";
const ASKED: &str = r#"{"model":"asked"}"#;

/// Asks once, checks that the answer passes byte by byte, and gives what the ledger was told by the time it had ended.
pub(crate) async fn cost(path: &str, content_type: &'static str, body: &str) -> Vec<(String, Tokens)> {
    let mut costs = Vec::new();
    // In one piece, in pieces of any length, and in single bytes: an answer costs the same however it comes.
    for length in [body.len(), 7, 1] {
        let answer = if content_type == EVENTS {
            in_pieces(body, length)
        } else {
            Answer::Whole(200, content_type, Bytes::from(body.to_owned()))
        };
        let vendor = Vendor::with([answer]).await;
        let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
        let answer = reqwest::Client::new().post(door.url(path)).body(ASKED).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), body);
        costs.push(door.used());
    }
    costs.dedup();
    assert_eq!(costs.len(), 1, "{costs:?}");
    costs.remove(0)
}

fn one(model: &str, input: u64, output: u64, cached: u64) -> Vec<(String, Tokens)> {
    vec![(model.to_owned(), Tokens { input, output, cached, ..Tokens::default() })]
}

/// The same, with what was written to the cache and what was thought.
pub(crate) fn one_with(
    model: &str,
    counts: [u64; 3],
    cache_written: u64,
    reasoning: u64,
) -> Vec<(String, Tokens)> {
    let [input, output, cached] = counts;
    vec![(model.to_owned(), Tokens { input, output, cached, cache_written, reasoning })]
}

#[tokio::test]
async fn anthropic_events_are_cumulative_and_the_cache_is_part_of_the_input() {
    let body = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":100,"cache_creation_input_tokens":50,"cache_read_input_tokens":900,"cache_creation":{"ephemeral_5m_input_tokens":50,"ephemeral_1h_input_tokens":0},"output_tokens":2,"service_tier":"standard"}}}"#,
        "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"the \"usage\" of é"}}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{},"usage":{"output_tokens":11}}"#,
        "\r\n\r\nevent: message_delta\r\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":100,"cache_read_input_tokens":900,"output_tokens":20}}"#,
        "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let expected = one_with("claude-sonnet-4-5", [1050, 20, 900], 50, 0);
    assert_eq!(cost("/anthropic/v1/messages", EVENTS, body).await, expected);
}

#[tokio::test]
async fn openai_chat_says_it_in_its_last_event() {
    let body = concat!(
        r#"data: {"id":"c","object":"chat.completion.chunk","model":"gpt-5.1-2025-11-13","choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null}"#,
        "\n\n",
        r#"data: {"id":"c","object":"chat.completion.chunk","model":"gpt-5.1-2025-11-13","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020,"prompt_tokens_details":{"cached_tokens":900,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":8}}}"#,
        "\n\ndata: [DONE]\n\n",
    );
    assert_eq!(
        cost("/openai/v1/chat/completions", EVENTS, body).await,
        one_with("gpt-5.1-2025-11-13", [1000, 20, 900], 0, 8)
    );
}

#[tokio::test]
async fn openai_chat_that_does_not_say_it_is_counted_by_what_was_seen() {
    let body = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";
    // 17 bytes were asked and two answered, of which four are about one token.
    assert_eq!(cost("/openai/v1/chat/completions", EVENTS, body).await, one("m", 5, 1, 0));
}

#[tokio::test]
async fn openai_responses_say_it_when_they_end_whichever_way() {
    for ending in ["completed", "incomplete", "failed"] {
        let body = format!(
            concat!(
                "event: response.created\n",
                r#"data: {{"type":"response.created","response":{{"id":"r","model":"gpt-5.1","status":"in_progress","usage":null}}}}"#,
                "\n\nevent: response.output_text.delta\n",
                r#"data: {{"type":"response.output_text.delta","delta":"hi"}}"#,
                "\n\nevent: response.{ending}\n",
                r#"data: {{"type":"response.{ending}","response":{{"id":"r","model":"gpt-5.1","output":[{{"type":"message"}}],"usage":{{"input_tokens":1000,"input_tokens_details":{{"cached_tokens":640}},"output_tokens":30,"output_tokens_details":{{"reasoning_tokens":12}},"total_tokens":1030}}}}}}"#,
                "\n\n",
            ),
            ending = ending
        );
        assert_eq!(
            cost("/openai/v1/responses", EVENTS, &body).await,
            one_with("gpt-5.1", [1000, 30, 640], 0, 12),
            "{ending}"
        );
    }
}

#[tokio::test]
async fn whole_documents_are_read_as_well() {
    let json = "application/json";
    let chat = "{\n  \"model\": \"m\",\n  \"usage\": {\"prompt_tokens\": 5, \"completion_tokens\": 6}\n}\n";
    assert_eq!(cost("/openai/v1/chat/completions", json, chat).await, one("m", 5, 6, 0));
    let response = r#"{"model":"m","output":[],"usage":{"input_tokens":5,"output_tokens":6,"input_tokens_details":{"cached_tokens":4}}}"#;
    assert_eq!(cost("/openai/v1/responses", json, response).await, one("m", 5, 6, 4));
    let message = r#"{"model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":6,"cache_read_input_tokens":4}}"#;
    assert_eq!(cost("/anthropic/v1/messages", json, message).await, one("m", 9, 6, 4));
    assert_eq!(cost("/anthropic/v1/messages/count_tokens", json, r#"{"input_tokens":5}"#).await, []);
    assert_eq!(cost("/anthropic/v1/messages", json, "not \"usage\" at all").await, one("asked", 5, 0, 0));
}

/// A line that is longer than what is kept passes all the same, and so does what follows it.
#[tokio::test]
async fn an_endless_line_is_passed_on_and_forgotten() {
    let long = format!(
        "data: {{\"usage\":\"{}\"}}\ndata: {{\"model\":\"m\",\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2}}}}\n\n",
        "x".repeat(9 << 20)
    );
    let vendor = {
        let (pieces, answer) = mpsc::channel(1024);
        for piece in long.as_bytes().chunks(16 * 1024) {
            pieces.try_send(Ok(Bytes::copy_from_slice(piece))).unwrap();
        }
        Vendor::with([Answer::Pieces(answer)]).await
    };
    let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
    let answer = reqwest::Client::new()
        .post(door.url("/openai/v1/chat/completions"))
        .body(ASKED)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), long.len());
    assert_eq!(door.used(), one("m", 1, 2, 0));
}
