//! What a request may cost is set aside before it is passed on, where anything bounds what may be spent.

use crate::door::{Door, Purse, grant};
use crate::upstream::{Answer, Vendor, streaming};
use bytes::Bytes;
use lamplight_gateway::{ModelPrice, Tariff, Upstreams};
use reqwest::Response;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(20);
const CHAT: &str = "/openai/v1/chat/completions";
const MESSAGES: &str = "/anthropic/v1/messages";
const GENERATE: &str = "/gemini/v1beta/models/ours:generateContent";
const ASKED: &str = r#"{"model":"ours","max_tokens":100}"#;
/// One for each byte asked, and two for each token that may be answered.
const SET_ASIDE: u64 = ASKED.len() as u64 + 200;

fn answered(model: &str) -> Answer {
    let usage =
        format!(r#"{{"model":"{model}","choices":[],"usage":{{"prompt_tokens":10,"completion_tokens":5}}}}"#);
    Answer::Whole(200, "application/json", usage.into())
}

/// A door before a model that costs 1 $ in and 2 $ out for a million tokens, and nothing else that has a price.
async fn priced(mut upstreams: Upstreams) -> Door {
    let price = ModelPrice {
        upstream: None,
        model: "ours".into(),
        tier: None,
        input: 1.0,
        cached: None,
        cache_written: None,
        output: 2.0,
    };
    upstreams.prices = vec![price];
    let all = [&mut upstreams.openai, &mut upstreams.anthropic, &mut upstreams.gemini];
    for upstream in all.into_iter().flatten() {
        upstream.tariff = Tariff::Listed;
    }
    Door::open(grant(Path::new("/nowhere")), upstreams).await
}

/// A door whose session may spend so much, before a vendor whose model costs 1 $ in and 2 $ out for a million tokens.
async fn door(vendor: &Vendor, budget: u64) -> (Door, Purse) {
    let door = priced(vendor.upstreams()).await;
    let purse = Purse::of(budget);
    *door.ledger.money.lock().unwrap() = Some(purse.clone());
    (door, purse)
}

async fn ask(door: &Door, path: &str, body: &str) -> Response {
    reqwest::Client::new().post(door.url(path)).body(body.to_owned()).send().await.unwrap()
}

/// Status, and what the vendor's clients read of an error.
async fn refusal(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn what_was_set_aside_is_given_back_once_it_is_known_what_was_used() {
    let vendor = Vendor::with([
        answered("ours"),
        answered("ours-2026-01"),
        Answer::Whole(500, "application/json", "{}".into()),
    ])
    .await;
    let (door, purse) = door(&vendor, 1000).await;
    for (status, spent) in [(200, 20), (200, 40), (500, 40)] {
        let answer = ask(&door, CHAT, ASKED).await;
        assert_eq!(answer.status().as_u16(), status);
        answer.bytes().await.unwrap();
        door.settled().await;
        let sums = purse.sums();
        assert_eq!((sums.spent, sums.reserved, sums.largest), (spent, 0, SET_ASIDE));
    }
    assert_eq!(vendor.received().len(), 3);
}

#[tokio::test]
async fn what_is_spent_is_refused_in_each_vendors_words() {
    let vendor = Vendor::with([]).await;
    let (door, _) = door(&vendor, 0).await;
    let openai = (
        403,
        serde_json::json!({"error": {"message": "all is spent", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}),
    );
    assert_eq!(refusal(ask(&door, CHAT, ASKED).await).await, openai);
    assert_eq!(refusal(ask(&door, "/openai/v1/responses", ASKED).await).await, openai);
    let anthropic = serde_json::json!({"type": "error", "error": {"type": "permission_error", "message": "all is spent"}});
    assert_eq!(refusal(ask(&door, MESSAGES, ASKED).await).await, (403, anthropic));
    let gemini =
        serde_json::json!({"error": {"code": 403, "message": "all is spent", "status": "PERMISSION_DENIED"}});
    assert_eq!(refusal(ask(&door, GENERATE, "{}").await).await, (403, gemini));
    assert_eq!(vendor.received().len(), 0, "nothing was passed on");
}

#[tokio::test]
async fn what_is_set_aside_for_others_can_be_had_later() {
    let (pieces, stream) = streaming();
    let vendor = Vendor::with([stream, answered("ours")]).await;
    let (door, purse) = door(&vendor, SET_ASIDE).await;
    let first = ask(&door, MESSAGES, ASKED).await;
    let answer = ask(&door, MESSAGES, ASKED).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    let (status, problem) = refusal(answer).await;
    assert_eq!((status, &problem["error"]["type"]), (429, &"rate_limit_error".into()));
    drop(pieces);
    first.bytes().await.unwrap();
    assert_eq!(purse.sums().reserved, 0);
    assert_eq!(ask(&door, CHAT, ASKED).await.status(), 200);
}

/// Says at its beginning that it read 70 tokens, and wrote one.
const BEGUN: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"model":"ours","usage":{"input_tokens":70,"output_tokens":1}}}"#,
    "\n\n",
);

#[tokio::test]
async fn an_answer_that_breaks_off_is_accounted_for_as_far_as_it_came() {
    // The client leaves, or the vendor does.
    for client_leaves in [true, false] {
        let (pieces, stream) = streaming();
        let vendor = Vendor::with([stream]).await;
        let (door, purse) = door(&vendor, 1000).await;
        let mut answer = ask(&door, MESSAGES, ASKED).await;
        pieces.send(Ok(Bytes::from(BEGUN))).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), BEGUN);
        assert_eq!((purse.sums().spent, purse.sums().reserved), (0, SET_ASIDE));
        if client_leaves {
            drop(answer);
            tokio::time::timeout(SOON, pieces.closed()).await.unwrap();
        } else {
            pieces.send(Err(std::io::Error::other("the vendor dies"))).await.unwrap();
            answer.bytes().await.unwrap_err();
        }
        door.settled().await;
        assert_eq!((purse.sums().spent, purse.sums().reserved), (72, 0), "{client_leaves}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_an_answer_gives_it_back() {
    let vendor = Vendor::with([]).await;
    let gone = vendor.upstreams().openai.unwrap();
    drop(vendor);
    let door = priced(Upstreams { openai: Some(gone), ..Upstreams::default() }).await;
    let purse = Purse::of(1000);
    *door.ledger.money.lock().unwrap() = Some(purse.clone());
    assert_eq!(ask(&door, CHAT, ASKED).await.status(), 502, "nobody answers there");
    assert_eq!((purse.sums().reserved, purse.sums().largest), (0, SET_ASIDE));
}

#[tokio::test]
async fn what_costs_nothing_is_not_reserved() {
    let free = || Answer::Whole(200, "application/json", r#"{"input_tokens":5}"#.into());
    let vendor = Vendor::with([free(), free(), free(), free()]).await;
    let (door, purse) = door(&vendor, 0).await;
    for path in [
        "/anthropic/v1/messages/count_tokens",
        "/openai/v1/responses/input_tokens",
        "/gemini/v1beta/models/theirs:countTokens",
    ] {
        assert_eq!(ask(&door, path, "{}").await.status(), 200, "{path}");
    }
    assert_eq!(reqwest::get(door.url("/openai/v1/models")).await.unwrap().status(), 200);
    assert_eq!(purse.sums().largest, 0);
}
