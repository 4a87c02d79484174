//! What nobody knows the price of is not asked, and the refusal says what to write.

use crate::door::{Door, grant};
use crate::upstream::{Answer, Vendor};
use bytes::Bytes;
use lamplight_gateway::{ModelPrice, OPENAI_BASE, Tariff, Upstreams};
use serde_json::Value;
use std::path::Path;

const CHAT: &str = "/openai/v1/chat/completions";

fn answered() -> Answer {
    let usage = r#"{"model":"ours-2026","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":6}}"#;
    Answer::Whole(200, "application/json", Bytes::from_static(usage.as_bytes()))
}

fn price(model: &str, tier: Option<&str>) -> ModelPrice {
    let (model, tier) = (model.to_owned(), tier.map(str::to_owned));
    ModelPrice { upstream: None, model, tier, input: 1.0, cached: None, cache_written: None, output: 2.0 }
}

async fn door(vendor: &Vendor, tariff: Tariff, prices: Vec<ModelPrice>) -> Door {
    let mut upstreams = Upstreams { prices, ..vendor.upstreams() };
    for upstream in [&mut upstreams.openai, &mut upstreams.anthropic, &mut upstreams.gemini] {
        upstream.as_mut().unwrap().tariff = tariff;
    }
    Door::open(grant(Path::new("/nowhere")), upstreams).await
}

/// Status, and what people read.
async fn ask(door: &Door, path: &str, body: &str) -> (u16, String) {
    let answer = reqwest::Client::new().post(door.url(path)).body(body.to_owned()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (status, body["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_model_without_a_price_is_not_asked_and_it_is_said_what_to_write() {
    let vendor = Vendor::with([]).await;
    let door = door(&vendor, Tariff::Listed, vec![price("ours", None)]).await;
    let sentence = |rest: &str, row: &str, name: &str| {
        format!(
            "In Lamplight, the model {rest}, because nobody knows what that costs. Write into the configuration of its server price = \"free\" into [models.{name}] if nothing there costs anything, price = \"vendor\" if it costs what {name} itself asks, or [[models.prices]] with {row}, input and output (dollars for a million tokens); or choose another model."
        )
    };
    let theirs = "\"theirs\" is not asked";
    for (path, body, expected) in [
        (CHAT, r#"{"model":"theirs"}"#, sentence(theirs, r#"model = "theirs""#, "openai")),
        ("/openai/v1/responses", r#"{"model":"theirs"}"#, sentence(theirs, r#"model = "theirs""#, "openai")),
        (
            "/anthropic/v1/messages",
            r#"{"model":"theirs"}"#,
            sentence(theirs, r#"model = "theirs""#, "anthropic"),
        ),
        (
            "/gemini/v1beta/models/theirs:generateContent",
            r#"{"contents":[]}"#,
            sentence(theirs, r#"model = "theirs""#, "gemini"),
        ),
        (
            CHAT,
            r#"{"model":"ours","service_tier":"fast"}"#,
            sentence(r#""ours" is not asked as "fast""#, r#"model = "ours", tier = "fast""#, "openai"),
        ),
    ] {
        assert_eq!(ask(&door, path, body).await, (403, expected), "{path} {body}");
    }
    for body in ["{}", "not json", r#"{"model":"ours","model":"theirs"}"#] {
        let (status, message) = ask(&door, CHAT, body).await;
        assert!(status == 400 && message.starts_with("The request names no model"), "{status} {message}");
    }
    assert_eq!((vendor.received().len(), door.refused().len()), (0, 5), "people see it too");
    assert_eq!(door.used(), []);
}

#[tokio::test]
async fn what_has_a_price_is_asked() {
    let check = async |tariff, body: &str, micros: u64| {
        let vendor = Vendor::with([answered()]).await;
        let door = door(&vendor, tariff, vec![price("ours", None), price("theirs", Some("fast"))]).await;
        assert_eq!(ask(&door, CHAT, body).await.0, 200, "{body}");
        assert_eq!(door.costs()[0].0, Some(micros), "{body}");
    };
    check(Tariff::Listed, r#"{"model":"ours"}"#, 20).await;
    check(Tariff::Listed, r#"{"model":"ours","service_tier":"auto"}"#, 20).await;
    check(Tariff::Listed, r#"{"model":"theirs","service_tier":"fast"}"#, 20).await;
    check(Tariff::Free, r#"{"model":"ours"}"#, 20).await;
    check(Tariff::Free, r#"{"model":"any","service_tier":"any"}"#, 0).await;
    // GPT-5.1 is 1.25 $ in and 10 out for a million.
    check(Tariff::AsVendor, r#"{"model":"gpt-5.1"}"#, 70).await;
    check(Tariff::AsVendor, r#"{"model":"gpt-5.1","service_tier":"priority"}"#, 140).await;
}

/// At the vendor's own address nothing can be free.
#[tokio::test]
async fn of_a_vendor_only_single_models_can_be_priced() {
    let vendor = Vendor::with([]).await;
    let mut upstreams = vendor.upstreams();
    let openai = upstreams.openai.as_mut().unwrap();
    (openai.base, openai.tariff) = (OPENAI_BASE.to_owned(), Tariff::Listed);
    let door = Door::open(grant(Path::new("/nowhere")), upstreams).await;
    let (status, message) = ask(&door, CHAT, r#"{"model":"theirs"}"#).await;
    assert_eq!(status, 403);
    assert!(
        message.contains("of its server [[models.prices]] with") && !message.contains("free"),
        "{message}"
    );
}
