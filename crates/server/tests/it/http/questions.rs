//! Questions of an agent, from its process to a person and back.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Of the shape in which agents ask: a choice, a text of one's own, and a number.
fn prompt() -> String {
    let schema = json!({ "type": "object", "required": ["channel"], "properties": {
        "channel": { "type": "string", "title": "Channel", "oneOf": [
            { "const": "stable", "title": "Stable", "description": "For everybody" },
            { "const": "beta", "title": "Beta" },
        ] },
        "note": { "type": "string", "maxLength": 20 },
        "keep": { "type": "integer", "minimum": 0, "maximum": 9 },
    } });
    let question = json!({ "mode": "form", "message": "How is it released?", "requestedSchema": schema });
    format!("!ask-form {question}\n!write released.txt yes")
}

/// A session that asks a person.
async fn ask(server: &Server, prompt: &str) -> String {
    let body = json!({ "repository": server.place.repository(), "prompt": prompt, "permissions": "ask" });
    let (status, view) = server.post("/sessions", body).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    view["id"].as_str().unwrap().to_owned()
}

/// What the agent said in all.
fn spoken(entries: &[Value]) -> String {
    let spoken = entries.iter().filter(|entry| entry["event"]["type"] == "agent_spoke");
    spoken.map(|entry| entry["event"]["text"].as_str().unwrap()).collect()
}

fn count(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["event"]["type"] == kind).count()
}

#[tokio::test]
async fn a_person_fills_in_what_the_agent_asks() {
    let server = Server::start();
    let id = ask(&server, &prompt()).await;
    server.until(&id, "question_asked", 1).await;
    let view = server.view(&id).await;
    let reason = "the agent asks: How is it released?";
    assert_eq!((&view["phase"], &view["reason"]), (&json!("waiting_for_you"), &json!(reason)), "{view}");
    let open = &view["question"];
    assert!(open["deadline"].as_str().unwrap().ends_with('Z'), "{open}");
    let names: Vec<&str> = open["question"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["channel", "note", "keep"], "in the agent's order");

    let path = format!("/sessions/{id}/question");
    let fill = |content: Value| json!({ "request": open["request"], "action": "accept", "content": content });
    for (content, why) in [
        (json!({ "channel": "nightly" }), "\"channel\": the agent did not offer \"nightly\""),
        (json!({ "note": "none" }), "\"channel\": it is required"),
        (json!({ "channel": "beta", "note": "x".repeat(21) }), "\"note\": at most 20 characters"),
        (json!({ "channel": "beta", "keep": 2.5 }), "\"keep\": it has to be a whole number"),
        (json!({ "channel": "beta", "more": true }), "\"more\": the agent did not ask for it"),
    ] {
        let (status, wrong) = server.post(&path, fill(content)).await;
        assert_eq!(
            (status, wrong["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("answer_does_not_fit")),
            "{wrong}"
        );
        assert!(wrong.to_string().contains(&why.replace('"', "\\\"")), "{why}: {wrong}");
    }
    let nested = json!({ "channel": { "a": "beta" } });
    assert_eq!(server.post(&path, fill(nested)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.view(&id).await["question"], *open, "what does not fit changes nothing");

    let answer = fill(json!({ "channel": "beta", "keep": 3 }));
    let (status, view) = server.post(&path, answer.clone()).await;
    assert_eq!((status, &view["question"]), (StatusCode::OK, &Value::Null), "{view}");
    let (status, twice) = server.post(&path, answer).await;
    assert_eq!(
        (status, twice["code"].as_str()),
        (StatusCode::CONFLICT, Some("question_not_open")),
        "{twice}"
    );
    let entries = server.until(&id, "turn_ended", 1).await;
    assert_eq!(spoken(&entries), r#"Answer: accept {"channel":"beta","keep":3}."#);
    server.clear().await;
}

#[tokio::test]
async fn a_question_is_declined_or_cancelled_and_the_commands_do_it_too() {
    let server = Server::start();
    let id = ask(&server, &prompt()).await;
    server.until(&id, "question_asked", 1).await;
    let open = server.view(&id).await["question"].clone();
    let decline = json!({ "request": open["request"], "action": "decline" });
    let (status, view) = server.post(&format!("/sessions/{id}/question"), decline).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    assert_eq!(spoken(&server.until(&id, "turn_ended", 1).await), "Answer: decline.");

    let id = ask(&server, &prompt()).await;
    server.until(&id, "question_asked", 1).await;
    let place = &server.place;
    for words in [place.say(&["show", &id]), place.say(&["answer", &id]), place.say(&["logs", &id])] {
        assert!(words.contains("How is it released?"), "{words}");
        assert!(words.contains("channel*: one of Stable, Beta (Channel)"), "{words}");
    }
    let wrong = place.run(&["answer", &id, "channel=nightly"]);
    let wrong = String::from_utf8(wrong.stderr).unwrap();
    assert!(wrong.contains("did not offer \"nightly\""), "{wrong}");
    assert_eq!(place.say(&["answer", &id, "beta", "keep=3"]), "Answered.\n");
    let entries = server.until(&id, "turn_ended", 1).await;
    assert_eq!(spoken(&entries), r#"Answer: accept {"channel":"beta","keep":3}."#);
    assert!(place.say(&["logs", &id]).contains(r#"answered by Ada: {"channel":"beta","keep":3}"#));
    assert!(!place.run(&["answer", &id, "beta"]).status.success(), "nothing is asked any more");

    let id = ask(&server, &prompt()).await;
    server.until(&id, "question_asked", 1).await;
    let (status, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let entries = server.until(&id, "turn_ended", 1).await;
    let answered = entries.iter().find(|entry| entry["event"]["type"] == "question_answered").unwrap();
    assert_eq!(answered["event"]["reply"], json!({ "reply": "cancelled" }));
    assert_eq!(answered["event"]["by"], json!({ "by": "stop" }));
    server.clear().await;
}

#[tokio::test]
async fn an_agent_asks_only_where_somebody_answers_and_only_what_can_be_asked() {
    let server = Server::start();
    let id = server.create(&prompt()).await;
    let entries = server.until(&id, "turn_ended", 1).await;
    assert_eq!(spoken(&entries), "Nobody can be asked.", "it was not told that it may");
    assert_eq!(count(&entries, "question_asked"), 0);

    let page =
        json!({ "mode": "url", "elicitationId": "e", "message": "Sign in.", "url": "https://example.org/a" });
    let id = ask(&server, &format!("!ask-form {page}")).await;
    let entries = server.until(&id, "turn_ended", 1).await;
    assert_eq!(spoken(&entries), "Answer: decline.");
    let answered = entries.iter().find(|entry| entry["event"]["type"] == "question_answered").unwrap();
    let why = answered["event"]["why"].as_str().unwrap();
    assert!(why.contains("a page of example.org"), "{why}");
    server.clear().await;
}

/// The agent, which refuses to be told anything twice, lives through both.
#[tokio::test]
async fn a_server_killed_while_it_asks_asks_once_and_answers_once() {
    let mut server = Server::start();
    let id = ask(&server, &prompt()).await;
    server.until(&id, "question_asked", 1).await;
    let open = server.view(&id).await["question"].clone();
    server.signal("KILL");
    server = Server::start_in(server.ended().1);
    assert_eq!(server.view(&id).await["question"], open, "it is still asked, until the same moment");
    let answer = json!({ "request": open["request"], "action": "accept", "content": { "channel": "beta" } });
    let path = format!("/sessions/{id}/question");
    let (status, view) = server.post(&path, answer.clone()).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    server.signal("KILL");
    server = Server::start_in(server.ended().1);
    let (status, twice) = server.post(&path, answer).await;
    assert_eq!(
        (status, twice["code"].as_str()),
        (StatusCode::CONFLICT, Some("question_not_open")),
        "{twice}"
    );
    let entries = server.until(&id, "work_committed", 1).await;
    assert_eq!((count(&entries, "question_asked"), count(&entries, "question_answered")), (1, 1));
    assert_eq!(spoken(&entries), r#"Answer: accept {"channel":"beta"}."#);
    let ended = entries.iter().find(|entry| entry["event"]["type"] == "turn_ended").unwrap();
    assert_eq!(ended["event"]["outcome"]["how"], "completed", "{ended}");
    server.clear().await;
}
