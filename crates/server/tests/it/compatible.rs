//! Upstreams that the configuration names: a session's model says which is asked, with that one's key, and between two turns another may be.

use crate::support::{Place, Server};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const ONE_KEY: &str = "sk-one-4f2a91b7";
const TWO_KEY: &str = "sk-two-77c1d0e2";
const OPENAI_KEY: &str = "sk-vendor-0b6e33";

/// Speaks OpenAI's protocol with whoever has its key, and remembers what it was asked.
struct Upstream {
    base: String,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

struct Seen {
    key: &'static str,
    /// Key and model of each request.
    asked: Mutex<Vec<(String, String)>>,
}

impl Upstream {
    async fn start(key: &'static str) -> Self {
        let seen = Arc::new(Seen { key, asked: Mutex::default() });
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat))
            .with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, seen, _serving: serving }
    }

    fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.seen.asked.lock().unwrap())
    }
}

fn key_of(headers: &HeaderMap) -> String {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    key.unwrap_or_default().trim_start_matches("Bearer ").to_owned()
}

async fn models(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    if key_of(&headers) != seen.key {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"message": "wrong key"}})));
    }
    (StatusCode::OK, Json(json!({"data": [{"id": "scripted-large"}, {"id": "scripted-small"}]})))
}

async fn chat(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let (key, model) = (key_of(&headers), body["model"].as_str().unwrap().to_owned());
    seen.asked.lock().unwrap().push((key.clone(), model.clone()));
    if key != seen.key {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"message": "wrong key"}})));
    }
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5});
    (StatusCode::OK, Json(json!({"model": model, "choices": [], "usage": usage})))
}

/// Steps in which a program inside asks the agent's model, where the agent was sent; and something to commit, so that its end is told.
const ASK: &str = "!run python3 -c 'import http.client, json, os, urllib.parse; b = urllib.parse.urlsplit(os.environ[\"BASE\"]); \
    c = http.client.HTTPConnection(b.netloc); c.request(\"POST\", b.path + \"/chat/completions\", json.dumps({\"model\": os.environ[\"MODEL\"]})); \
    print(c.getresponse().read())'\n!run date +%N >> asked.txt";

/// `one` is free and its key is stored; `two` has a price, and its key is in the environment.
fn place(openai: &Upstream, one: &Upstream, two: &Upstream) -> Place {
    let mut place = Place::with(&format!(
        "env = {{ BASE = '{{openai}}/v1', MODEL = '{{model}}' }}\n\
         [[agents]]\nname = 'fixed'\ncommand = '/bin/true'\nenv = {{ BASE = '{{gateway}}/openai/v1' }}\n\
         [models.openai]\nbase = '{}'\nprice = 'free'\nkey_env = 'OPENAI_OWN'\n\
         [models.compatible.one]\nbase = '{}'\nprice = 'free'\n\
         [models.compatible.two]\nbase = '{}'\nkey_env = 'TWO'\n\
         [[models.prices]]\nupstream = 'two'\nmodel = 'scripted-large'\ninput = 1\noutput = 2\n",
        openai.base, one.base, two.base
    ));
    place.environment = vec![("OPENAI_OWN", OPENAI_KEY), ("TWO", TWO_KEY)];
    place
}

fn keys(place: &Place, words: &[&str], key: &str) -> Output {
    let mut command = place.command(&[&["keys"], words].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(key.as_bytes());
    child.wait_with_output().unwrap()
}

/// What the log has of the last answer of a model.
fn used(log: &[Value]) -> (String, Value) {
    let used = log.iter().rfind(|entry| entry["event"]["type"] == "tokens_used").unwrap();
    (used["event"]["model"].as_str().unwrap().to_owned(), used["event"]["cost_micros"].clone())
}

fn noted(log: &[Value]) -> String {
    let texts = log.iter().filter_map(|entry| match entry["event"]["type"].as_str() {
        Some("noted") => entry["event"]["text"].as_str(),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// On two threads, as commands are waited for while upstreams answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sessions_model_says_which_upstream_is_asked() {
    let (openai, one, two) =
        (Upstream::start(OPENAI_KEY).await, Upstream::start(ONE_KEY).await, Upstream::start(TWO_KEY).await);
    let server = Server::start_in(place(&openai, &one, &two));
    assert!(keys(&server.place, &["set", "one"], ONE_KEY).status.success());
    let request =
        json!({"repository": server.place.repository(), "prompt": ASK, "model": "one/scripted-small"});
    let (status, view) = server.post("/sessions", request).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let id = view["id"].as_str().unwrap();
    let log = server.until(id, "work_committed", 1).await;
    assert_eq!(one.asked(), [(ONE_KEY.to_owned(), "scripted-small".to_owned())]);
    assert_eq!(used(&log), ("one/scripted-small".to_owned(), json!(0)));
    let view = server.view(id).await;
    let offered: Vec<_> =
        view["models"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(view["model"], "one/scripted-small");
    assert_eq!(offered, ["one/scripted-large", "one/scripted-small"]);

    // What the agent offers is of the one that it was sent to; another may be chosen nevertheless.
    for (turn, model, (upstream, key, cost)) in [
        (2, "two/scripted-large", (&two, TWO_KEY, json!(20))),
        (3, "scripted-small", (&openai, OPENAI_KEY, json!(0))),
        (4, "one/scripted-large", (&one, ONE_KEY, json!(0))),
    ] {
        let (status, view) = server.post(&format!("/sessions/{id}/model"), json!({"model": model})).await;
        assert_eq!(status, StatusCode::OK, "{view}");
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": ASK})).await;
        let log = server.until(id, "work_committed", turn).await;
        let there = model.rsplit('/').next().unwrap().to_owned();
        assert_eq!(upstream.asked(), [(key.to_owned(), there)], "{model}");
        assert_eq!(used(&log), (model.to_owned(), cost));
        assert!(!noted(&log).contains("does not offer"), "{}", noted(&log));
    }
    assert_eq!([one.asked(), two.asked(), openai.asked()], [vec![], vec![], vec![]], "and nobody else");

    let (status, problem) =
        server.post(&format!("/sessions/{id}/model"), json!({"model": "two/nothing"})).await;
    assert_eq!(status, StatusCode::OK, "its upstream says what it has: {problem}");
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": ASK})).await;
    let log = server.until(id, "work_committed", 5).await;
    assert!(noted(&log).contains("into [models.compatible.two]"), "{}", noted(&log));
    assert!(two.asked().is_empty(), "what has no price there is not asked");
    server.clear().await;
}

/// On two threads, as commands are waited for while upstreams answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_of_the_configuration_is_a_name_among_the_others() {
    let (openai, one, two) =
        (Upstream::start(OPENAI_KEY).await, Upstream::start(ONE_KEY).await, Upstream::start(TWO_KEY).await);
    let server = Server::start_in(place(&openai, &one, &two));
    let place = &server.place;
    let said = |output: &Output| {
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
    };
    let tried = keys(place, &["test", "one"], "");
    assert!(!tried.status.success() && said(&tried).contains("lamplight keys set one"), "{}", said(&tried));
    assert!(keys(place, &["set", "one"], ONE_KEY).status.success());
    let tried = keys(place, &["test"], "");
    assert!(tried.status.success() && said(&tried).matches("ok, 2 models").count() == 3, "{}", said(&tried));
    let refused = said(&keys(place, &["set", "three"], ONE_KEY));
    assert!(
        refused.contains("[models.compatible.three]") && refused.contains("gemini, one, two"),
        "{refused}"
    );
    let list: Value = serde_json::from_str(&place.say(&["keys", "list", "--json"])).unwrap();
    let told: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|key| (&key["name"], &key["source"])).collect();
    assert_eq!(
        json!(told),
        json!([
            ["openai", "environment"],
            ["anthropic", "missing"],
            ["gemini", "missing"],
            ["one", "stored"],
            ["two", "environment"]
        ])
    );
    let (_, models) = server.get("/models").await;
    let told: Vec<_> = models["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|upstream| (&upstream["compatible"], &upstream["models"][0]["id"]))
        .collect();
    assert_eq!(
        json!(told),
        json!([[false, "scripted-large"], [true, "one/scripted-large"], [true, "two/scripted-large"]])
    );
    assert_eq!(models["items"][2]["models"][0]["price"]["output"], 2.0);
    assert_eq!(models["items"][2]["models"][1]["price"], Value::Null);
    let (_, status) = server.get("/status").await;
    assert_eq!(status["models_configured"], json!(["openai", "one", "two"]));
    let (_, agents) = server.get("/agents").await;
    let upstreams = |name: &str| {
        let agents = agents["items"].as_array().unwrap();
        agents.iter().find(|agent| agent["name"] == name).unwrap()["upstreams"].clone()
    };
    assert_eq!(upstreams("goose"), json!(["openai", "anthropic", "gemini", "one", "two"]));
    assert_eq!(
        (upstreams("claude"), upstreams("fixed")),
        (json!(["anthropic"]), json!(["openai", "anthropic", "gemini"]))
    );
    let request = json!({"repository": place.repository(), "prompt": "x", "agent": "fixed", "model": "one/scripted-large"});
    let (status, problem) = server.post("/sessions", request).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("model_unreachable")),
        "{problem}"
    );
    for file in ["server.log", "data/lamplight.db"] {
        let bytes = std::fs::read(place.path(file)).unwrap_or_default();
        for key in [ONE_KEY, TWO_KEY, OPENAI_KEY] {
            assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{key} is in {file}");
        }
    }
    assert!([one.asked(), two.asked(), openai.asked()].concat().is_empty());
    place.say(&["keys", "remove", "one"]);
}
