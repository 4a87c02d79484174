//! What an agent has merged of the base is merged: for git, and so for whoever merges the branch.

use crate::support::Server;
use serde_json::{Value, json};
use std::fs;

/// A session that has written a file of which the base says something else since.
async fn conflicting(server: &Server, theirs: &str) -> String {
    let id = server.create("!write a.txt ours").await;
    server.until(&id, "work_committed", 1).await;
    let place = &server.place;
    fs::write(place.repository().join("a.txt"), format!("{theirs}\n")).unwrap();
    place.git(&["add", "a.txt"]);
    place.git(&["commit", "-qm", "What the base says"]);
    id
}

/// The newest commit of the branch after a turn that runs this, with its parents.
async fn committed(server: &Server, id: &str, script: &str) -> Vec<String> {
    let prompt = json!({ "text": format!("!run git fetch -q origin && {script}") });
    server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    server.until(id, "work_committed", 2).await;
    let branch = server.view(id).await["branch"].as_str().unwrap().to_owned();
    let line = server.place.git(&["rev-list", "--parents", "--max-count", "1", &branch]);
    line.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_was_resolved_is_no_conflict_any_more() {
    let server = Server::start();
    let ways = [
        "{ git merge -q origin/main || true; } && echo both > a.txt && git commit -qam Merged",
        "{ git merge -q origin/main || true; } && echo both > a.txt && git add a.txt",
        "git checkout -q -B elsewhere origin/main && echo both > a.txt",
    ];
    for (number, script) in ways.iter().enumerate() {
        let id = conflicting(&server, &format!("theirs {number}")).await;
        let (status, problem) = server.post(&format!("/sessions/{id}/merge"), Value::Null).await;
        assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("merge_conflict")), "{problem}");
        let commit = committed(&server, &id, script).await;
        let first = server.view(&id).await["commits"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(commit[1..], [first, server.place.git(&["rev-parse", "main"])], "{script}");
        let (status, answer) = server.post(&format!("/sessions/{id}/merge"), Value::Null).await;
        assert_eq!((status.as_u16(), &answer["commit"]), (200, &json!(commit[0])), "{script}: {answer}");
        assert_eq!(fs::read_to_string(server.place.repository().join("a.txt")).unwrap(), "both\n");
        // What the next one finds.
        server.place.git(&["rm", "-q", "a.txt"]);
        server.place.git(&["commit", "-qm", "Without it"]);
    }
    server.clear().await;
}

#[tokio::test]
async fn what_was_left_half_done_is_no_merge() {
    let server = Server::start();
    let id = conflicting(&server, "theirs").await;
    let commit = committed(&server, &id, "{ git merge -q origin/main || true; } && echo more > b.txt").await;
    assert_eq!(commit.len(), 2, "its parents are {:?}", &commit[1..]);
    let (status, problem) = server.post(&format!("/sessions/{id}/merge"), Value::Null).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("merge_conflict")), "{problem}");
    server.clear().await;
}
