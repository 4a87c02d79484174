//! What models were asked for over all sessions, and budgets that sessions share; a model that a program inside really asks.

use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

/// A model of one's own. Chats are answered whole, and say that they took 80,000 tokens in and 1,000 out: 0.25 $ by [`PRICES`]. Of
/// messages comes the beginning, which says that 100,000 were read and 1 was written; what was begun is handed over, to be held open.
/// Whoever asks for the list of models says by that that the beginning has come: each time is told too.
pub(crate) fn model() -> (String, mpsc::Receiver<TcpStream>, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (begun, held) = mpsc::channel();
    let (came, arrived) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = socket.read(&mut request).unwrap();
            if request[..length].starts_with(b"GET /v1/models") {
                let _ = came.send(());
            }
            let (kind, body, length) = if request[..length].starts_with(b"POST /v1/messages") {
                let start = json!({"type": "message_start", "message": {"model": "ours", "usage": {"input_tokens": 100_000, "output_tokens": 1}}});
                ("text/event-stream", format!("event: message_start\ndata: {start}\n\n"), String::new())
            } else {
                let body = json!({"model": "ours", "choices": [], "usage": {"prompt_tokens": 80_000, "completion_tokens": 1_000}}).to_string();
                let length = format!("content-length: {}\r\n", body.len());
                ("application/json", body, length)
            };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{length}connection: close\r\n\r\n");
            socket.write_all((head + &body).as_bytes()).unwrap();
            if length.is_empty() {
                // Nobody takes it when the test is over.
                let _ = begun.send(socket);
            }
        }
    });
    (base, held, arrived)
}

pub(crate) const PRICES: &str = "[[models.prices]]\nmodel = 'ours'\ninput = 3\noutput = 10\n";

/// A program inside asks once, and prints the status.
fn ask(path: &str, body: &str) -> String {
    format!(
        "!run curl -s -o /dev/null -w '%{{http_code}}' -m 60 -H 'content-type: application/json' -d '{body}' http://127.0.0.1:7411{path} || true\n"
    )
}

pub(crate) fn chat() -> String {
    ask("/openai/v1/chat/completions", r#"{"model":"ours","max_tokens":1000}"#)
}

/// A program inside asks for an answer that does not end, and tells the model once its beginning has come through.
fn ask_for_long() -> String {
    let body = r#"{"model":"ours","max_tokens":1000}"#;
    let url = "http://127.0.0.1:7411/anthropic/v1";
    format!(
        "!run curl -s -N -m 60 -H 'content-type: application/json' -d '{body}' {url}/messages | (head -c 1 >/dev/null; curl -s -o /dev/null -m 60 {url}/models; cat >/dev/null) || true\n"
    )
}

struct Stage {
    config: String,
    held: mpsc::Receiver<TcpStream>,
    arrived: mpsc::Receiver<()>,
}

impl Stage {
    fn new() -> (Self, Place) {
        let place = Place::new();
        let (base, held, arrived) = model();
        let models =
            format!("[models.openai]\nbase = '{base}/v1'\n[models.anthropic]\nbase = '{base}'\n{PRICES}");
        let config = fs::read_to_string(place.path("lamplight.toml")).unwrap() + &models;
        (Self { config, held, arrived }, place)
    }

    fn start(&self, place: Place, budgets: &str) -> Server {
        fs::write(place.path("lamplight.toml"), format!("{}{budgets}", self.config)).unwrap();
        Server::start_in(place)
    }
}

async fn usage(server: &Server, query: &str) -> Value {
    let (status, report) = server.get(&format!("/usage{query}")).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

/// Spent and set aside of the first budget.
async fn budget(server: &Server) -> (u64, u64) {
    let budget = usage(server, "").await["budgets"][0].clone();
    (budget["spent_micros"].as_u64().unwrap(), budget["reserved_micros"].as_u64().unwrap())
}

fn of_ada(micros: u64) -> String {
    format!("[[budgets.people]]\nname = 'Ada'\nmonth_micros = {micros}\n")
}

#[tokio::test]
async fn a_budget_of_a_person_bounds_all_of_their_sessions_for_the_month() {
    let (stage, place) = Stage::new();
    let server = stage.start(place, &of_ada(700_000));
    let first = server.create(&(chat() + "!hang")).await;
    server.until(&first, "tokens_used", 1).await;
    let (status, _) =
        server.post(&format!("/sessions/{first}/prompts"), json!({"text": format!("{}!hang", chat())})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "queued in time");
    let second = server.create(&format!("{}!write a.txt one\n{}!hang", chat(), chat())).await;
    let log = server.until(&second, "guard_tripped", 1).await;
    let told: Vec<_> = log.iter().filter(|entry| entry["event"]["type"] == "budget_neared").collect();
    assert_eq!(told.len(), 0, "from two thirds to all of it: {told:?}");
    let tripped = &log.last().unwrap()["event"];
    let detail = "this month's budget of $0.70 for Ada is spent";
    assert_eq!((&tripped["guard"], &tripped["detail"]), (&json!("month_budget"), &json!(detail)));
    server.until(&second, "work_committed", 1).await;
    let view = server.view(&second).await;
    let reason =
        format!("{detail}; raise it in the configuration or wait for the next month, then prompt to go on");
    assert_eq!((&view["phase"], &view["reason"]), (&json!("stuck"), &json!(reason)));

    let refused = async |server: &Server| {
        for (path, body) in [
            (format!("/sessions/{second}/prompts"), json!({"text": "!say more"})),
            ("/sessions".to_owned(), json!({"repository": server.place.repository(), "prompt": "!say more"})),
        ] {
            let (status, problem) = server.post(&path, body).await;
            assert_eq!(
                (status, &problem["code"]),
                (StatusCode::CONFLICT, &json!("month_budget_spent")),
                "{problem}"
            );
        }
    };
    refused(&server).await;
    assert_eq!(budget(&server).await, (750_000, 0));
    server.signal("KILL");
    let server = stage.start(server.ended().1, &of_ada(700_000));
    refused(&server).await;
    // What was queued begins, and is stopped by what it asks first.
    let (status, _) = server.post(&format!("/sessions/{first}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let tripped = server.until(&first, "guard_tripped", 1).await.pop().unwrap()["event"].clone();
    assert_eq!((&tripped["turn"], &tripped["detail"]), (&json!(2), &json!(detail)));
    server.until(&first, "work_committed", 2).await;
    assert_eq!(budget(&server).await, (750_000, 0));

    server.signal("TERM");
    let server = stage.start(server.ended().1, &of_ada(2_000_000));
    let (status, _) = server.post(&format!("/sessions/{second}/prompts"), json!({"text": chat()})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&second, "work_committed", 2).await;
    assert_eq!(
        (server.view(&second).await["phase"].clone(), budget(&server).await),
        (json!("done"), (1_000_000, 0))
    );
    let (_, spent) = server.get(&format!("/sessions/{second}/usage")).await;
    let items = spent["items"].as_array().unwrap().iter();
    let told: Vec<Value> = items
        .map(|item| {
            json!([
                item["turn"],
                item["model"],
                item["requests"],
                item["tokens"]["input"],
                item["cost"]["micros"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [json!([1, "ours", 2, 160_000, 500_000]), json!([2, "ours", 1, 80_000, 250_000])],
        "{spent}"
    );
    server.clear().await;
}

#[tokio::test]
async fn people_are_told_at_four_fifths_and_what_follows_is_refused_to_programs() {
    let (stage, place) = Stage::new();
    let path = place.repository();
    let budgets = format!(
        "[budgets]\nmonth_micros = 600_000\n[[repositories]]\npath = {path:?}\nbudget_month_micros = 900_000\n"
    );
    let server = stage.start(place, &budgets);
    let id = server.create(&format!("{}!write a.txt one\n{}!hang", chat(), chat())).await;
    let neared = server.until(&id, "budget_neared", 1).await.pop().unwrap()["event"].clone();
    assert_eq!((&neared["spent_micros"], &neared["of"]), (&json!(500_000), &json!({"whose": "deployment"})));
    let (status, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "work_committed", 1).await;
    let unpriced = ask("/openai/v1/chat/completions", r#"{"model":"theirs"}"#);
    let (status, _) = server
        .post(&format!("/sessions/{id}/prompts"), json!({"text": format!("{unpriced}{}!hang", chat())}))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let log = server.until(&id, "guard_tripped", 1).await;
    let noted = log.iter().any(|entry| {
        entry["event"]["text"].as_str().is_some_and(|text| text.contains("the model \"theirs\" is not asked"))
    });
    assert!(noted, "{log:?}");
    let text = server.place.say(&["usage"]);
    assert!(text.contains("3 requests") && text.contains("$0.75"), "{text}");
    assert!(
        text.contains("budget of all sessions this month") && text.contains("$0.75 of $0.60 (125 %)"),
        "{text}"
    );
    assert!(text.contains("repository this month") && text.contains("$0.75 of $0.90 (83 %)"), "{text}");
    server.until(&id, "work_committed", 2).await;
    server.clear().await;
}

#[tokio::test]
async fn usage_is_summed_up_by_whatever_is_asked() {
    let (stage, place) = Stage::new();
    let server = stage.start(place, "");
    let none = server.place.say(&["usage"]);
    assert!(none.starts_with("No model was asked since 20"), "{none}");
    let id = server.create(&format!("{}!write a.txt one\n{}", chat(), chat())).await;
    server.until(&id, "work_committed", 1).await;
    let item = |report: &Value| {
        let item = &report["items"][0];
        (item["key"].as_str().unwrap().to_owned(), item["requests"].clone(), item["cost"].clone())
    };
    let expected = |key: &str| (key.to_owned(), json!(2), json!({"micros": 500_000, "is_partial": false}));
    let repository = server.place.repository().canonicalize().unwrap();
    assert_eq!(item(&usage(&server, "").await), expected(&repository.to_string_lossy()));
    for (by, key) in [("person", "Ada"), ("model", "ours"), ("session", id.as_str())] {
        assert_eq!(item(&usage(&server, &format!("?by={by}&since=30d")).await), expected(key));
    }
    let day = usage(&server, "?by=day&since=2020-01-01").await;
    assert_eq!(
        (&day["since"], &day["items"][0]["cost"]["micros"]),
        (&json!("2020-01-01T00:00:00.000Z"), &json!(500_000))
    );
    let (status, problem) = server.get("/usage?since=yesterday").await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
    let report: Value =
        serde_json::from_str(&server.place.say(&["usage", "--by", "person", "--since", "1d", "--json"]))
            .unwrap();
    assert_eq!(item(&report), expected("Ada"));
    server.clear().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_of_an_answer_settles_or_releases_what_was_set_aside() {
    let (stage, place) = Stage::new();
    let mut server = stage.start(place, &of_ada(9_000_000));
    let messages = ask_for_long();
    let id = server.create(&format!("{messages}!hang")).await;
    // What was read of the answer is known when the server has time to say it, and not when it has none.
    for (turn, signal, spent) in [(1, "TERM", 300_010), (2, "KILL", 300_010)] {
        let answering = stage.held.recv().unwrap();
        // The gateway has read what a program inside has got.
        stage.arrived.recv().unwrap();
        assert_ne!(budget(&server).await.1, 0);
        server.signal(signal);
        let (_, place) = server.ended();
        drop(answering);
        server = stage.start(place, &of_ada(9_000_000));
        assert_eq!(budget(&server).await, (spent, 0), "{signal}");
        assert_eq!(usage(&server, "").await["total"]["cost"]["micros"], spent, "{signal}");
        let (_, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
        server.until(&id, "work_committed", turn).await;
        let (status, _) = server
            .post(&format!("/sessions/{id}/prompts"), json!({"text": format!("{messages}!hang")}))
            .await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    drop(stage.held.recv().unwrap());
    server.clear().await;
}
