//! What a session may cost, with a model that a program inside really asks.

use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

/// A model of one's own: every answer says that it took a hundred thousand tokens in, a fifth of them from the cache, and a thousand out.
pub(crate) fn model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _read = socket.read(&mut [0; 64 * 1024]).unwrap();
            let body = json!({"model": "ours", "choices": [], "usage": {"prompt_tokens": 100_000, "completion_tokens": 1_000,
                "prompt_tokens_details": {"cached_tokens": 20_000}}})
            .to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            socket.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    base
}

/// Each asks once, and costs 80,000 × 3 $ + 20,000 × 0.50 $ + 1,000 × 10 $ for a million: 0.26 $.
pub(crate) const ASK: &str = "!run python3 -c 'import urllib.request as r; print(r.urlopen(r.Request(\"http://127.0.0.1:7411/openai/v1/chat/completions\", b\"{\\\"model\\\": \\\"ours\\\"}\", {\"content-type\": \"application/json\"})).read())'\n";
pub(crate) const PRICES: &str = "[[models.prices]]\nmodel = 'ours'\ninput = 3\ncached = 0.5\noutput = 10\n";

fn server(prices: &str) -> Server {
    let place = Place::new();
    let config = fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let more = format!("[models.openai]\nbase = '{}'\n{prices}", model());
    fs::write(place.path("lamplight.toml"), config + &more).unwrap();
    Server::start_in(place)
}

#[tokio::test]
async fn what_models_cost_is_counted_told_and_bounded() {
    let server = server(PRICES);
    let request = json!({
        "repository": server.place.repository(),
        "prompt": format!("{}!write a.txt one\n!hang", ASK.repeat(2)),
        "limits": {"budget_micros": 600_000, "identical_calls": 10},
    });
    let (status, view) = server.post("/sessions", request).await;
    assert_eq!((status, &view["budget_micros"]), (StatusCode::CREATED, &json!(600_000)), "{view}");
    let id = view["id"].as_str().unwrap().to_owned();
    let log = server.until(&id, "budget_neared", 1).await;
    let used = log.iter().find(|entry| entry["event"]["type"] == "tokens_used").unwrap();
    assert_eq!(used["event"]["cost_micros"], 260_000, "{used}");
    let neared = &log.last().unwrap()["event"];
    assert_eq!((&neared["spent_micros"], &neared["budget_micros"]), (&json!(520_000), &json!(600_000)));
    let (status, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "work_committed", 1).await;

    let (status, _) =
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": format!("{ASK}!hang")})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "work_committed", 2).await;
    let view = server.view(&id).await;
    assert_eq!(
        (&view["phase"], &view["reason"]),
        (&json!("stuck"), &json!("the budget of $0.60 is spent; raise it to go on"))
    );
    assert_eq!(view["cost"], json!({"micros": 780_000, "is_partial": false}));
    assert_eq!(view["turn_cost"]["micros"], 260_000);
    assert_eq!(view["tokens"]["cached"], 60_000);

    let (status, problem) =
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("budget_spent")), "{problem}");
    let fork = json!({"fork": {"session": id}, "prompt": "!say hello"});
    let (status, problem) = server.post("/sessions", fork.clone()).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("budget_spent")), "{problem}");
    assert_eq!(server.place.say(&["budget", &id, "1.50"]), "It may cost $1.50; spent: $0.78.\n");
    assert!(server.place.say(&["show", &id]).contains("budget      $0.78 of $1.50"));
    server.until(&id, "checkpoint_kept", 2).await;
    let (status, forked) = server.post("/sessions", fork).await;
    assert_eq!(
        (status, &forked["budget_micros"]),
        (StatusCode::CREATED, &json!(720_000)),
        "what is left: {forked}"
    );
    let (status, _) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "work_committed", 3).await;
    assert_eq!(server.view(&id).await["phase"], "done");
    server.clear().await;
}

#[tokio::test]
async fn what_has_no_price_is_not_asked_until_it_is_said_to_be_free() {
    let server = server("");
    let id = server.create(ASK).await;
    let noted = server.until(&id, "noted", 1).await.pop().unwrap()["event"]["text"].clone();
    let noted = noted.as_str().unwrap();
    assert!(noted.starts_with("Refused: In Lamplight, the model \"ours\" is not asked"), "{noted}");
    assert!(noted.contains("price = \"free\" into [models.openai]"), "{noted}");
    server.until(&id, "work_committed", 1).await;
    assert_eq!(server.view(&id).await["tokens"]["input"], 0);
    server.signal("TERM");
    let place = server.ended().1;
    let config = fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let free = config.replace("[models.openai]\n", "[models.openai]\nprice = \"free\"\n");
    fs::write(place.path("lamplight.toml"), free).unwrap();
    let server = Server::start_in(place);
    let id = server.create(ASK).await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    assert_eq!(view["cost"], json!({"micros": 0, "is_partial": false}), "{view}");
    assert_eq!(view["tokens"]["input"], 100_000);
    server.clear().await;
}
