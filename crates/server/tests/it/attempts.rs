//! One task for several sessions, of which a person takes one.

use crate::support::{Place, Server, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const WRITE: &str = "!write a.txt one\n!say It is done.";

async fn ask(server: &Server, prompt: &str, attempts: Value, key: Option<&str>) -> (StatusCode, Value) {
    let body = json!({"repository": server.place.repository(), "prompt": prompt, "attempts": attempts});
    let mut request = server.request(Method::POST, "/api/v1/sessions").json(&body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    answer(request).await
}

/// The ids of all, the first first.
pub(crate) async fn begin(server: &Server, prompt: &str, count: usize) -> Vec<String> {
    let (status, first) = ask(server, prompt, json!(vec![json!({}); count]), None).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let ids: Vec<String> = serde_json::from_value(first["attempts"]["sessions"].clone()).unwrap();
    assert_eq!((ids.len(), &ids[0]), (count, &first["id"].as_str().unwrap().to_owned()));
    ids
}

pub(crate) async fn take(server: &Server, id: &str) -> (StatusCode, Value) {
    server.post(&format!("/sessions/{id}/take"), Value::Null).await
}

fn types(log: &[Value]) -> Vec<&str> {
    log.iter().map(|entry| entry["event"]["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn one_of_several_attempts_is_taken() {
    several_attempts(Place::new()).await;
}

#[tokio::test]
async fn one_of_several_attempts_is_taken_on_postgresql() {
    several_attempts(Place::on_postgres()).await;
}

async fn several_attempts(place: Place) {
    let server = Server::start_in(place);
    let attempts = json!([{}, {"model": "large"}, {"agent": "scripted"}]);
    let (status, first) = ask(&server, WRITE, attempts.clone(), Some("one")).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    // The same request again gives the same, and another is refused.
    let (_, again) = ask(&server, WRITE, attempts, Some("one")).await;
    assert_eq!(first["id"], again["id"]);
    let (status, problem) = ask(&server, WRITE, json!([{}, {}]), Some("one")).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );
    let ids: Vec<String> = serde_json::from_value(first["attempts"]["sessions"].clone()).unwrap();
    for id in &ids {
        server.until(id, "work_committed", 1).await;
    }
    let (_, list) = server.get("/sessions").await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{list}");
    assert!(items.iter().all(|item| item["attempts"]["sessions"] == json!(ids)), "{list}");

    let (status, compared) = server.get(&format!("/sessions/{}/attempts", ids[2])).await;
    assert_eq!(status, StatusCode::OK, "{compared}");
    for (number, item) in (1..).zip(compared["items"].as_array().unwrap()) {
        assert_eq!(item["session"]["attempts"]["number"], number);
        assert_eq!(item["changed"], json!({"files": 1, "insertions": 1, "deletions": 0}));
        assert_eq!(item["last_message"], "It is done.");
    }
    assert_eq!(compared["items"][1]["session"]["model"], "large");
    let said = server.place.say(&["compare", &ids[0]]);
    assert!(said.contains("1 file +1 −0") && said.contains("It is done."), "{said}");
    assert!(said.contains("Take one: lamplight take ID"), "{said}");

    let (status, taken) = take(&server, &ids[1]).await;
    assert_eq!((status, &taken["ended"]), (StatusCode::OK, &json!(false)), "{taken}");
    assert_eq!(taken["attempts"]["taken"], json!({"session": ids[1], "by": "Ada"}));
    for other in [&ids[0], &ids[2]] {
        let log = server.until(other, "session_ended", 1).await;
        let told = log.iter().find(|entry| entry["event"]["type"] == "attempt_taken").unwrap();
        assert_eq!(told["event"]["session"], json!(ids[1]));
    }
    // Again is fine; another is a conflict, and says who was faster.
    assert_eq!(take(&server, &ids[1]).await.0, StatusCode::OK);
    let (status, problem) = take(&server, &ids[2]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("attempt_taken")));
    assert!(problem["detail"].as_str().unwrap().contains("Ada has taken attempt 2 already"), "{problem}");
    assert!(server.place.say(&["take", &ids[1]]).contains("the other 2 attempts are ended"));
    assert!(server.place.say(&["show", &ids[1]]).contains("2 of 3 · taken by Ada"));

    // It goes on as any session.
    server.post(&format!("/sessions/{}/prompts", ids[1]), json!({"text": "!say more"})).await;
    server.until(&ids[1], "turn_ended", 2).await;
    let (status, merged) = server.post(&format!("/sessions/{}/merge", ids[1]), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{merged}");
    server.clear().await;
}

#[tokio::test]
async fn the_others_are_stopped_in_the_middle_of_their_work_and_in_the_queue() {
    let mut place = Place::new();
    place.environment.push(("LAMPLIGHT_QUEUE_SANDBOXES", "2"));
    let server = Server::start_in(place);
    let ids = begin(&server, "!hang", 3).await;
    // Two of them have a place, whichever came first.
    let (mut running, mut waiting) = (Vec::new(), Vec::new());
    for id in &ids {
        tokio::select! {
            _ = server.until(id, "sandbox_queued", 1) => waiting.push(id),
            _ = server.until(id, "turn_started", 1) => running.push(id),
        }
    }
    assert_eq!((running.len(), waiting.len()), (2, 1));
    let (status, _) = take(&server, running[0]).await;
    assert_eq!(status, StatusCode::OK);
    let log = server.until(running[1], "session_ended", 1).await;
    let told = types(&log);
    let at =
        |kind: &str| told.iter().position(|one| *one == kind).unwrap_or_else(|| panic!("{kind}: {told:?}"));
    assert!(at("attempt_taken") < at("stop_requested") && at("turn_ended") < at("session_ended"), "{told:?}");
    let log = server.until(waiting[0], "session_ended", 1).await;
    assert!(!types(&log).contains(&"sandbox_requested"), "{log:?}");
    let (_, queue) = server.get("/queue").await;
    assert_eq!(queue["items"], json!([]));
    assert_eq!(server.view(running[0]).await["phase"], "planning", "it hangs on");
    let (status, problem) =
        server.post(&format!("/sessions/{}/prompts", running[1]), json!({"text": "more"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("session_ended")));
    server.clear().await;
}

/// As a server leaves it that dies once the choice is written down.
#[tokio::test]
async fn who_was_not_told_of_a_choice_is_told_by_the_next_look() {
    let server = Server::start_in(Place::on_postgres());
    let ids = begin(&server, "!hang", 2).await;
    for id in &ids {
        server.until(id, "turn_started", 1).await;
    }
    let cluster = server.place.cluster.as_ref().unwrap();
    let choice = format!(
        "INSERT INTO attempts_taken (attempts, sessions, session, by, at) VALUES ('{0}', '{0} {1}', '{1}', 'Grace', 1)",
        ids[0], ids[1]
    );
    cluster.sql(&choice).unwrap();
    let log = server.until(&ids[0], "session_ended", 1).await;
    assert!(types(&log).contains(&"attempt_taken"), "{log:?}");
    server.until(&ids[1], "attempt_taken", 1).await;
    let (status, problem) = take(&server, &ids[0]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("attempt_taken")));
    server.clear().await;
}

#[tokio::test]
async fn what_cannot_be_begun_as_a_whole_is_not_begun_at_all() {
    let server = Server::start_in(Place::with("[attempts]\nmost = 3\n"));
    let refused = async |attempts: Value, code: &str| {
        let (status, problem) = ask(&server, WRITE, attempts, None).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{problem}");
    };
    refused(json!([{}]), "attempts_out_of_bounds").await;
    refused(json!([{}, {}, {}, {}]), "attempts_out_of_bounds").await;
    refused(json!([{}, {"agent": "nobody"}]), "agent_unknown").await;
    let (_, list) = server.get("/sessions").await;
    assert_eq!(list["items"], json!([]));

    let alone = server.create(WRITE).await;
    server.until(&alone, "work_committed", 1).await;
    let (status, problem) = take(&server, &alone).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("not_an_attempt")));
    let said = server.place.say(&["run", "--attempts", "2", "--attempt", "scripted:small", WRITE]);
    assert!(said.contains("1  ") && said.contains("2  ") && said.contains("/compare/"), "{said}");
    server.clear().await;
}
