//! How far turns and sessions may go, by the policy of the configuration, and going on once past what stopped them.

use crate::budgets::{ASK, PRICES, model};
use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;

/// Every answer of the model is 101,000 tokens and costs $0.26.
pub(crate) fn with_model(more: &str) -> String {
    format!("{more}\n[models.openai]\nbase = '{}'\n{PRICES}", model())
}

/// How one of a session's guards stands.
pub(crate) fn guard(view: &Value, code: &str) -> Value {
    let guards = view["guards"].as_array().unwrap();
    guards.iter().find(|row| row["guard"] == code).cloned().unwrap_or(Value::Null)
}

fn times(log: &[Value], kind: &str) -> usize {
    log.iter().filter(|entry| entry["event"]["type"] == kind).count()
}

#[tokio::test]
async fn each_guard_trips_says_so_and_goes_on_once() {
    let server = Server::start_in(Place::with(&with_model("")));
    let twice = ASK.repeat(2);
    let twice = twice.as_str();
    let calls = "!call 1 look a\n!call 1 look b\n";
    let cases = [
        ("tokens", json!({"turn_tokens": 150_000}), twice, 150_000, 202_000),
        ("cost", json!({"turn_cost_micros": 300_000}), twice, 300_000, 520_000),
        ("session_tokens", json!({"session_tokens": 150_000}), twice, 150_000, 202_000),
        ("session_steps", json!({"session_steps": 1}), calls, 1, 2),
        ("session_wall_clock", json!({"session_wall_clock_ms": 1_500}), "", 1_500, 1_500),
        ("budget", json!({"budget_micros": 300_000}), twice, 300_000, 520_000),
    ];
    for (code, limits, work, limit, counted) in cases {
        let new = json!({
            "repository": server.place.repository(), "prompt": format!("{work}!hang"), "limits": limits,
        });
        let (status, view) = server.post("/sessions", new).await;
        assert_eq!((status, &guard(&view, code)["limit"]), (StatusCode::CREATED, &json!(limit)), "{view}");
        let id = view["id"].as_str().unwrap().to_owned();
        let told = server.until(&id, "guard_tripped", 1).await.pop().unwrap()["event"].clone();
        assert_eq!((&told["guard"], &told["limit"]), (&json!(code), &json!(limit)), "{told}");
        assert!(told["counted"].as_u64().unwrap() >= counted, "{told}");
        server.until(&id, "work_committed", 1).await;
        let view = server.view(&id).await;
        let tripped = &view["tripped"];
        let shown = [&tripped["guard"], &tripped["turn"], &tripped["counted"], &tripped["can_be_continued"]];
        assert_eq!(shown, [&json!(code), &json!(1), &told["counted"], &json!(true)], "{view}");
        assert_eq!(view["phase"], "stuck");
        assert!(server.place.say(&["show", &id]).contains(&format!("stopped by  {code}: ")));

        let go_on = format!("/sessions/{id}/continue");
        for _ in 0..2 {
            let (status, view) = server.post(&go_on, json!({"turn": 1})).await;
            assert_eq!((status, &view["tripped"]), (StatusCode::ACCEPTED, &Value::Null), "{view}");
        }
        server.until(&id, "guard_tripped", 2).await;
        let log = server.until(&id, "work_committed", 2).await;
        assert_eq!((times(&log, "turn_continued"), times(&log, "turn_started")), (1, 2), "{code}");
        let continued = log.iter().find(|entry| entry["event"]["type"] == "turn_continued").unwrap();
        assert_eq!((&continued["event"]["by"], &continued["event"]["turn"]), (&json!("Ada"), &json!(1)));
        let (status, view) = server.post(&go_on, json!({"turn": 1})).await;
        assert_eq!((status, &view["turn"]), (StatusCode::ACCEPTED, &json!(2)), "{code}: not a third time");
        assert_eq!(view["tripped"]["turn"], 2);
        let (status, problem) =
            server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
        if view["tripped"]["per"] == "session" {
            let refused = if code == "budget" { "budget_spent" } else { "guard_spent" };
            assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!(refused)), "{problem}");
        } else {
            assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
            server.until(&id, "work_committed", 3).await;
            let (status, problem) = server.post(&go_on, json!({"turn": 3})).await;
            assert_eq!(
                (status, &problem["code"]),
                (StatusCode::CONFLICT, &json!("nothing_to_continue")),
                "{problem}"
            );
        }
    }
    let (_, audit) = server.get("/audit").await;
    let done = audit["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "continue_session");
    assert!(done.unwrap()["detail"].as_str().unwrap().starts_with("after turn 1: "), "{audit}");
    server.clear().await;
}

#[tokio::test]
async fn a_session_that_a_turn_has_used_up_goes_on_with_what_is_asked() {
    let server = Server::start_in(Place::with(""));
    let new = json!({
        "repository": server.place.repository(), "prompt": "!call 1 look a", "limits": {"session_steps": 1},
    });
    let (status, view) = server.post("/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let id = view["id"].as_str().unwrap().to_owned();
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    let shown = [&view["phase"], &view["tripped"]["guard"], &view["tripped"]["turn"]];
    assert_eq!(shown, [&json!("done"), &json!("session_steps"), &json!(1)], "{view}");
    let (status, problem) =
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("guard_spent")), "{problem}");

    let go_on = json!({"turn": 1, "text": "!say the docs"});
    let (status, view) = server.post(&format!("/sessions/{id}/continue"), go_on.clone()).await;
    assert_eq!((status, &view["tripped"]), (StatusCode::ACCEPTED, &Value::Null), "{view}");
    server.until(&id, "work_committed", 2).await;
    let (status, problem) = server.post(&format!("/sessions/{id}/continue"), go_on).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("nothing_to_continue")),
        "{problem}"
    );
    server.place.say(&["continue", &id, "!say the tests"]);
    let log = server.until(&id, "work_committed", 3).await;
    let queued = log.iter().filter(|entry| entry["event"]["type"] == "prompt_queued");
    let texts: Vec<_> = queued.map(|entry| entry["event"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["!call 1 look a", "!say the docs", "!say the tests"]);
    assert_eq!((times(&log, "turn_continued"), times(&log, "guard_tripped")), (2, 0));
    server.clear().await;
}

#[tokio::test]
async fn what_holds_is_decided_when_a_session_is_made() {
    let server = Server::start_in(Place::with("[guards]\nturn.steps = 3\nturn.tokens = 9\n"));
    let old = server.create("!say hello").await;
    server.until(&old, "work_committed", 1).await;
    server.signal("TERM");
    let place = server.ended().1;
    let file = place.path("guards.toml");
    fs::write(&file, "turn.steps = 5\nsession.tokens = 7000\n").unwrap();
    let config = fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let config = config.replace("turn.steps = 3\nturn.tokens = 9\n", &format!("file = {file:?}\n"));
    fs::write(place.path("lamplight.toml"), config).unwrap();
    let server = Server::start_in(place);
    let view = server.view(&old).await;
    let limits =
        |view: &Value| ["steps", "tokens", "session_tokens"].map(|code| guard(view, code)["limit"].clone());
    assert_eq!(limits(&view), [json!(3), json!(9), Value::Null]);
    let new = server.create("!say hello").await;
    assert_eq!(limits(&server.view(&new).await), [json!(5), Value::Null, json!(7_000)]);
    let told = server.place.say(&["guards", "--repo", "."]);
    assert!(told.contains("no rule of the policy fits") && told.contains("5 tool calls, "), "{told}");
    assert!(told.contains("session  7.0k tokens"), "{told}");
    assert!(server.place.say(&["show", &new]).contains("guards      per turn: 5 tool calls, "));
    server.clear().await;
}

#[test]
fn a_policy_with_a_mistake_is_refused_by_name() {
    let place = Place::new();
    let file = place.path("guards.toml");
    fs::write(&file, "turn.steps = 5\n[[rules]]\nrole = 'member'\nturn.tokns = 6\n").unwrap();
    let config = fs::read_to_string(place.path("lamplight.toml")).unwrap();
    fs::write(place.path("lamplight.toml"), format!("{config}[guards]\nfile = {file:?}\n")).unwrap();
    let output = place.run(&["serve"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("{}:4: unknown key `tokns`", file.display())), "{error}");
}
