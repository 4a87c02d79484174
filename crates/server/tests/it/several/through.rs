//! What people do in a session through a server that does not have it.

use super::{count, pair};
use crate::attempts::{begin, take};
use crate::previews::{Browser, serving};
use crate::terminals::{Seat, open};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn attempts_that_were_begun_at_one_server_are_compared_and_taken_through_the_other() {
    let (one, other) = pair();
    let ids = begin(&one, "!write a.txt one", 3).await;
    for id in &ids {
        other.until(id, "work_committed", 1).await;
    }
    let (status, compared) = other.get(&format!("/sessions/{}/attempts", ids[2])).await;
    assert_eq!((status, compared["items"].as_array().unwrap().len()), (StatusCode::OK, 3), "{compared}");
    let (status, taken) = take(&other, &ids[1]).await;
    assert_eq!((status, &taken["attempts"]["taken"]["session"]), (StatusCode::OK, &json!(ids[1])), "{taken}");
    for not_taken in [&ids[0], &ids[2]] {
        let log = one.until(not_taken, "session_ended", 1).await;
        assert_eq!(count(&log, "attempt_taken"), 1, "{log:?}");
    }
    assert_eq!(one.view(&ids[1]).await["ended"], false);
    one.clear().await;
}

/// Two people choose in the same moment, each at another server.
#[tokio::test]
async fn of_two_choices_at_two_servers_one_counts() {
    let (one, other) = pair();
    let ids = begin(&one, "!hang", 2).await;
    for id in &ids {
        one.until(id, "turn_started", 1).await;
    }
    let (first, second) = tokio::join!(take(&one, &ids[0]), take(&other, &ids[1]));
    let (taken, not_taken) = match (first.0, second.0) {
        (StatusCode::OK, StatusCode::CONFLICT) => (&ids[0], &ids[1]),
        (StatusCode::CONFLICT, StatusCode::OK) => (&ids[1], &ids[0]),
        _ => panic!("{first:?} and {second:?}"),
    };
    let refused = if first.0 == StatusCode::CONFLICT { first.1 } else { second.1 };
    assert_eq!(refused["code"], "attempt_taken", "{refused}");
    let log = other.until(not_taken, "session_ended", 1).await;
    let told = log.iter().find(|entry| entry["event"]["type"] == "attempt_taken").unwrap();
    assert_eq!(told["event"]["session"], json!(taken));
    for server in [&one, &other] {
        let view = server.view(taken).await;
        assert_eq!(
            (&view["ended"], &view["attempts"]["taken"]["session"]),
            (&json!(false), &json!(taken)),
            "{view}"
        );
    }
    other.clear().await;
}

#[tokio::test]
async fn a_terminal_is_opened_and_typed_into_through_the_other_server() {
    let (one, other) = pair();
    let id = one.create("!write by-agent.txt hello").await;
    one.until(&id, "work_committed", 1).await;
    let terminal = open(&other, &id).await;
    let mut there = Seat::at(&other, &id, &terminal, 0).await;
    there.say("cat by-agent.txt; echo $((6 * 7))\r").await;
    there.until("42").await;
    assert!(there.shown.contains("hello"), "{}", there.shown);
    // Whoever is at the server that has it sees the same shell.
    let mut here = Seat::at(&one, &id, &terminal, 0).await;
    here.until("42").await;
    here.say("exit 5\r").await;
    assert_eq!(there.last_word().await, json!({"control": "exited", "exit_code": 5}));
    other.clear().await;
}

#[tokio::test]
async fn a_port_is_seen_through_the_other_server() {
    let (one, other) = pair();
    let id = serving(&one).await;
    let (_, ports) = other.get(&format!("/sessions/{id}/ports")).await;
    assert_eq!(ports["items"][0]["port"], 3000, "{ports}");
    let browser = Browser::enter(&other, &id).await;
    let answer = browser.ask(Method::POST, "/a/b?c=d").body("content").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let said: Value = answer.json().await.unwrap();
    assert_eq!((&said["path"], &said["body"]), (&json!("/a/b?c=d"), &json!("content")), "{said}");
    other.clear().await;
}

/// It is made where the files are that it begins with.
#[tokio::test]
async fn a_fork_that_is_asked_of_the_other_server_begins_where_its_origin_is() {
    let (one, other) = pair();
    let id = one.create("!write a.txt one\n!run echo kept > ~/note").await;
    one.until(&id, "checkpoint_kept", 1).await;
    let asked = json!({"fork": {"session": id, "checkpoint": 1}, "prompt": "!run cat a.txt ~/note > b.txt"});
    let (status, fork) = other.post("/sessions", asked).await;
    assert_eq!(status, StatusCode::CREATED, "{fork}");
    assert_eq!(fork["origin"], json!({"session": id, "checkpoint": 1}));
    let fork = fork["id"].as_str().unwrap();
    other.until(fork, "work_committed", 1).await;
    let branch = other.view(fork).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(other.place.git(&["show", &format!("{branch}:b.txt")]), "one\nkept");
    one.clear().await;
}
