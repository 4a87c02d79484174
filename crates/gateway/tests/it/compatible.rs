//! Upstreams that the configuration adds to the vendors: each under its name, with its own key, several at a time.

use crate::door::{Door, grant};
use crate::upstream::{Answer, KEY, Vendor};
use bytes::Bytes;
use lamplight_gateway::{
    CompatibleName, ModelPrice, Secret, Tariff, Unlisted, Upstream, UpstreamName, Upstreams,
};
use serde_json::Value;
use std::path::Path;

const LOCAL_KEY: &str = "sk-local-5d1c0a";
const ROUTER_KEY: &str = "sk-router-77ab21";
/// With spaces and an order of its own, so that a body that was written anew would be another.
const ASKED: &str = r#"{ "stream":false, "messages":[ ], "model":"vendor/m:free" ,"max_tokens":5}"#;

fn answered() -> Answer {
    let body = r#"{"model":"vendor/m:free","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;
    Answer::Whole(200, "application/json", Bytes::from_static(body.as_bytes()))
}

fn at(vendor: &Vendor, key: &str, tariff: Tariff) -> Upstream {
    Upstream { base: format!("{}/v1", vendor.address), key: Secret::new(key), tariff }
}

/// OpenAI's own place, and two that are called `local` and `router`; what the latter asks has to have a price.
async fn door(openai: &Vendor, local: &Vendor, router: &Vendor, prices: Vec<ModelPrice>) -> Door {
    let named = |name: &str, upstream| (name.parse::<CompatibleName>().unwrap(), upstream);
    let compatible = [
        named("local", at(local, LOCAL_KEY, Tariff::Free)),
        named("router", at(router, ROUTER_KEY, Tariff::Listed)),
    ];
    let upstreams = Upstreams { compatible: compatible.into(), prices, ..openai.upstreams() };
    Door::open(grant(Path::new("/nowhere")), upstreams).await
}

fn price(upstream: &str) -> ModelPrice {
    ModelPrice {
        upstream: Some(upstream.parse().unwrap()),
        model: "vendor/m:free".to_owned(),
        tier: None,
        input: 2.0,
        cached: None,
        cache_written: None,
        output: 4.0,
    }
}

async fn ask(door: &Door, path: &str) -> (u16, String) {
    let request = reqwest::Client::new().post(door.url(path)).header("authorization", "Bearer lamplight");
    let answer = request.body(ASKED).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_name_leads_to_its_own_upstream_with_its_own_key_and_the_same_bytes() {
    let openai = Vendor::with([answered()]).await;
    let local = Vendor::keyed(LOCAL_KEY, [answered()]).await;
    let router = Vendor::keyed(ROUTER_KEY, [answered()]).await;
    let door = door(&openai, &local, &router, vec![price("router")]).await;
    let (one, other, vendors) = tokio::join!(
        ask(&door, "/compatible/local/v1/chat/completions"),
        ask(&door, "/compatible/router/v1/chat/completions"),
        ask(&door, "/openai/v1/chat/completions"),
    );
    assert_eq!([one.0, other.0, vendors.0], [200, 200, 200], "{one:?} {other:?} {vendors:?}");
    for (vendor, key) in [(&local, LOCAL_KEY), (&router, ROUTER_KEY), (&openai, KEY)] {
        let received = vendor.received();
        let [request] = received.as_slice() else { panic!("asked {} times", received.len()) };
        assert_eq!(
            (request.line.as_str(), &request.body[..]),
            ("POST /v1/chat/completions", ASKED.as_bytes())
        );
        let headers = request.headers.join("\n");
        let sent: Vec<_> =
            [LOCAL_KEY, ROUTER_KEY, KEY].into_iter().filter(|key| headers.contains(key)).collect();
        assert_eq!(sent, [key]);
    }
    let mut used: Vec<_> = std::mem::take(&mut *door.ledger.used.lock().unwrap());
    used.sort_by(|a, b| a.model.cmp(&b.model));
    let told: Vec<_> = used.iter().map(|used| (used.model.as_str(), used.cost_micros)).collect();
    let paid = Some(2 * 10 + 4 * 5);
    assert_eq!(
        told,
        [("local/vendor/m:free", Some(0)), ("router/vendor/m:free", paid), ("vendor/m:free", Some(0))]
    );
}

#[tokio::test]
async fn what_no_configuration_names_is_not_asked() {
    let nobody = Vendor::with([]).await;
    let door = door(&nobody, &nobody, &nobody, Vec::new()).await;
    let (status, said) = ask(&door, "/compatible/other/v1/chat/completions").await;
    assert!(status == 403 && said.contains("no [models.compatible.other]"), "{said}");
    for path in [
        "/compatible/Local/v1/chat/completions",
        "/compatible/openai/v1/chat/completions",
        "/compatible/l%6Fcal/v1/chat/completions",
        "/compatible/local/v1/files",
        "/compatible/local/chat/completions",
    ] {
        assert_eq!(ask(&door, path).await.0, 404, "{path}");
    }
    let (status, said) = ask(&door, "/compatible/router/v1/chat/completions").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let sentence = said["error"]["message"].as_str().unwrap();
    assert!(
        status == 403
            && sentence.contains("price = \"free\" into [models.compatible.router]")
            && sentence.contains("what openai itself asks")
            && sentence.contains(r#"upstream = "router", model = "vendor/m:free""#),
        "{sentence}"
    );
    assert!(nobody.received().is_empty());
}

#[tokio::test]
async fn its_models_are_listed_under_its_name_and_its_key_is_masked() {
    let repeated = |key: &str| format!(r#"{{"error":{{"message":"no such key: {key}"}}}}"#);
    let list = Bytes::from_static(br#"{"data":[{"id":"vendor/m:free"},{"id":"llama3"}]}"#);
    let refusal = || Answer::Whole(401, "application/json", repeated(ROUTER_KEY).into());
    let openai = Vendor::with([]).await;
    let local = Vendor::keyed(LOCAL_KEY, []).await;
    let router =
        Vendor::keyed(ROUTER_KEY, [Answer::Whole(200, "application/json", list), refusal(), refusal()]).await;
    let door = door(&openai, &local, &router, vec![price("router")]).await;
    let name: UpstreamName = "router".parse().unwrap();
    let models = door.gateway().models(&name).await.unwrap();
    assert_eq!(router.received()[0].line, "GET /v1/models");
    let told: Vec<_> =
        models.iter().map(|model| (model.id.as_str(), model.price.map(|price| price.output))).collect();
    assert_eq!(told, [("router/llama3", None), ("router/vendor/m:free", Some(4.0))]);
    let refused = door.gateway().models(&name).await.unwrap_err();
    assert_eq!(refused.to_string(), "refused with 401: no such key: [secret router key]");
    let (status, said) = ask(&door, "/compatible/router/v1/chat/completions").await;
    assert_eq!((status, said), (401, repeated(&"*".repeat(ROUTER_KEY.len()))));
    let other = door.gateway().models(&"other".parse().unwrap()).await;
    assert_eq!(other, Err(Unlisted::NotConfigured));
}
