//! Keys: never repeated into a sandbox, changed while it runs, and what upstreams say they have for them.

use crate::door::{Door, grant};
use crate::upstream::{Answer, KEY, Vendor};
use bytes::Bytes;
use lamplight_gateway::{Price, Secret, Tariff, Unlisted, Upstream, UpstreamName, Upstreams};
use std::path::Path;
use tokio::sync::mpsc;

const ASKED: &str = r#"{"model":"m"}"#;

async fn door(upstreams: Upstreams) -> Door {
    Door::open(grant(Path::new("/nowhere")), upstreams).await
}

async fn ask(door: &Door) -> reqwest::Response {
    reqwest::Client::new().post(door.url("/openai/v1/chat/completions")).body(ASKED).send().await.unwrap()
}

fn whole(status: u16, body: String) -> Answer {
    Answer::Whole(status, "application/json", Bytes::from(body))
}

#[tokio::test]
async fn an_upstream_that_repeats_the_key_does_not_tell_it_to_the_sandbox() {
    let said = |key: &str| format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}."}}}}"#);
    for status in [200, 401, 500] {
        let vendor = Vendor::with([whole(status, said(KEY))]).await;
        let answer = ask(&door(vendor.upstreams()).await).await;
        assert_eq!(answer.status(), status);
        let length = answer.headers()["content-length"].to_str().unwrap().to_owned();
        let body = answer.text().await.unwrap();
        assert_eq!(body, said(&"*".repeat(KEY.len())));
        assert_eq!(length, body.len().to_string());
    }
}

/// Wherever the pieces of an answer are cut, its bytes are the same but for the key.
#[tokio::test]
async fn a_key_that_comes_in_two_pieces_is_found() {
    let text = format!("data: {{\"said\":\"{KEY}\"}}\n\n");
    let masked = text.replace(KEY, &"*".repeat(KEY.len()));
    for cut in (1..text.len()).step_by(3) {
        let (pieces, answer) = mpsc::channel(2);
        let vendor = Vendor::with([Answer::Pieces(answer)]).await;
        let door = door(vendor.upstreams()).await;
        for piece in [&text[..cut], &text[cut..]] {
            pieces.send(Ok(Bytes::copy_from_slice(piece.as_bytes()))).await.unwrap();
        }
        drop(pieces);
        assert_eq!(ask(&door).await.text().await.unwrap(), masked, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_new_key_is_used_by_the_next_request() {
    let vendor = Vendor::with([whole(200, "{}".to_owned()), whole(200, "{}".to_owned())]).await;
    let door = door(Upstreams::default()).await;
    assert_eq!(ask(&door).await.status(), 403);
    door.gateway().set_upstreams(vendor.upstreams()).unwrap();
    assert_eq!(ask(&door).await.status(), 200);
    let broken = Upstream { base: "nowhere".to_owned(), key: Secret::new(KEY), tariff: Tariff::Free };
    let broken = Upstreams { openai: Some(broken), ..Upstreams::default() };
    assert!(door.gateway().set_upstreams(broken).is_err());
    assert_eq!(ask(&door).await.status(), 200, "what cannot be used changes nothing");
    door.gateway().set_upstreams(Upstreams::default()).unwrap();
    assert_eq!(ask(&door).await.status(), 403);
}

#[tokio::test]
async fn an_upstream_lists_its_models_with_their_prices() {
    let list = r#"{"object":"list","data":[{"id":"gpt-5.1"},{"id":"ours"},{"id":"text-embedding-3-large"}]}"#;
    let vendor = Vendor::with([whole(200, list.to_owned())]).await;
    let mut upstreams = vendor.upstreams();
    upstreams.prices = vec![lamplight_gateway::ModelPrice {
        upstream: None,
        model: "ours".to_owned(),
        tier: None,
        input: 3.0,
        cached: Some(0.25),
        cache_written: None,
        output: 15.0,
    }];
    upstreams.openai.as_mut().unwrap().tariff = Tariff::Listed;
    let door = door(upstreams).await;
    let models = door.gateway().models(&UpstreamName::OpenAi).await.unwrap();
    assert_eq!(vendor.received()[0].line, "GET /v1/models");
    let prices: Vec<_> = models.iter().map(|model| (model.id.as_str(), model.price)).collect();
    // The vendor's list is only for the vendor's address.
    let ours = Price { input: 3.0, cached: 0.25, output: 15.0 };
    assert_eq!(prices, [("gpt-5.1", prices[0].1), ("ours", Some(ours))]);
}

#[tokio::test]
async fn why_there_is_no_list_is_told_without_the_key() {
    let refusal = format!(r#"{{"error":{{"message":"Incorrect API key: {KEY}"}}}}"#);
    let vendor = Vendor::with([whole(401, refusal), whole(200, format!("<html>{KEY}"))]).await;
    let door = door(Upstreams { gemini: None, ..vendor.upstreams() }).await;
    let list = async |name: UpstreamName| door.gateway().models(&name).await.unwrap_err();
    let refused = list(UpstreamName::OpenAi).await;
    assert_eq!(refused.to_string(), "refused with 401: Incorrect API key: [secret openai key]");
    let strange = list(UpstreamName::Anthropic).await;
    assert!(matches!(strange, Unlisted::Strange { .. }) && !strange.to_string().contains(KEY), "{strange}");
    assert_eq!(list(UpstreamName::Gemini).await, Unlisted::NotConfigured);
    let nowhere =
        Upstream { base: "http://127.0.0.1:1".to_owned(), key: Secret::new(KEY), tariff: Tariff::Free };
    door.gateway().set_upstreams(Upstreams { gemini: Some(nowhere), ..Upstreams::default() }).unwrap();
    let unreachable = list(UpstreamName::Gemini).await;
    assert!(
        matches!(unreachable, Unlisted::Unreachable { .. }) && !unreachable.to_string().contains(KEY),
        "{unreachable}"
    );
}

/// Whoever wants a key and is sent none answers as it does; people are told what to do.
#[tokio::test]
async fn an_address_that_is_asked_without_a_key_and_wants_one_says_what_to_do() {
    let vendor = Vendor::with([]).await;
    let mut upstreams = vendor.upstreams();
    upstreams.openai.as_mut().unwrap().key = Secret::new("");
    let door = door(upstreams).await;
    assert_eq!(ask(&door).await.status(), 401);
    let what = door.refused().remove(0);
    assert!(
        what.contains("lamplight keys set openai") && what.contains("key_env in [models.openai]"),
        "{what}"
    );
    let refused = door.gateway().models(&UpstreamName::OpenAi).await.unwrap_err().to_string();
    assert!(refused.starts_with("refused with 401") && refused.ends_with(&what), "{refused}");
}
