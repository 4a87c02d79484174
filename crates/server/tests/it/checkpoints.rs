//! Going back to what a session was, and forking it, with a real agent's process and a real repository.

use crate::support::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rounds with checkpoints in the middle of turns: 100 by hand, a few with every run.
fn rounds() -> usize {
    std::env::var("LAMPLIGHT_CHECKPOINT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

async fn prompt(server: &Server, id: &str, text: &str) {
    let (status, problem) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": text})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
}

async fn restore(server: &Server, id: &str, checkpoint: u64) -> (StatusCode, Value) {
    server.post(&format!("/sessions/{id}/restore"), json!({ "checkpoint": checkpoint })).await
}

async fn fork(server: &Server, id: &str, checkpoint: Option<u64>, text: &str) -> (StatusCode, Value) {
    let request = match checkpoint {
        Some(checkpoint) => json!({"fork": {"session": id, "checkpoint": checkpoint}, "prompt": text}),
        None => json!({"fork": {"session": id}, "prompt": text}),
    };
    server.post("/sessions", request).await
}

/// The files of a branch, by name.
fn tree(server: &Server, branch: &str) -> BTreeMap<String, String> {
    let names = server.place.git(&["ls-tree", "-r", "--name-only", branch]);
    let content = |name: &str| server.place.git(&["show", &format!("{branch}:{name}")]);
    names.lines().map(|name| (name.to_owned(), content(name))).collect()
}

fn numbers(view: &Value) -> Vec<u64> {
    let kept = view["checkpoints"].as_array().unwrap().iter();
    kept.map(|kept| kept["checkpoint"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn going_back_brings_files_and_commits_back_and_the_next_turn_goes_on_from_there() {
    let server = Server::start();
    let id = server.create("!write a.txt one\n!run echo kept > ~/note").await;
    server.until(&id, "checkpoint_kept", 1).await;
    prompt(&server, &id, "!write a.txt two\n!write b.txt two\n!run rm ~/note").await;
    server.until(&id, "checkpoint_kept", 2).await;
    let before = server.view(&id).await;
    assert_eq!((numbers(&before), before["commits"].as_array().unwrap().len()), (vec![1, 2], 2), "{before}");

    let (status, problem) = restore(&server, &id, 9).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("checkpoint_not_found")),
        "{problem}"
    );
    let (status, view) = restore(&server, &id, 1).await;
    assert_eq!((status, &view["phase"]), (StatusCode::ACCEPTED, &json!("starting")), "{view}");
    server.until(&id, "files_restored", 1).await;
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], view["commits"].as_array().unwrap().len()), (&json!("done"), 1), "{view}");
    let (_, diff) = server.get(&format!("/sessions/{id}/diff")).await;
    assert_eq!(diff["files"].as_array().unwrap().len(), 1, "{diff}");

    prompt(&server, &id, "!run cat a.txt ~/note > c.txt").await;
    let entries = server.until(&id, "checkpoint_kept", 3).await;
    let opened = entries.iter().rfind(|entry| entry["event"]["type"] == "agent_opened").unwrap();
    assert_eq!(opened["event"]["memory"], "loaded", "{opened}");
    let view = server.view(&id).await;
    let files = tree(&server, view["branch"].as_str().unwrap());
    let expected = [("a.txt", "one"), ("c.txt", "one\nkept"), ("readme.txt", "hello")]
        .map(|(n, c)| (n.into(), c.into()));
    assert_eq!(files, BTreeMap::from(expected));
    let commits = view["commits"].as_array().unwrap();
    let parent = server.place.git(&["rev-parse", &format!("{}^", commits[1]["id"].as_str().unwrap())]);
    assert_eq!(json!(parent), before["commits"][0]["id"]);

    // What was left behind is still there to go to.
    restore(&server, &id, 2).await;
    server.until(&id, "files_restored", 2).await;
    assert_eq!(server.view(&id).await["commits"], before["commits"]);
    server.clear().await;
}

#[tokio::test]
async fn a_fork_goes_its_own_way_and_outlives_its_origin() {
    let server = Server::start();
    let id = server.create("!write a.txt one").await;
    server.until(&id, "checkpoint_kept", 1).await;
    prompt(&server, &id, "!write a.txt two").await;
    server.until(&id, "checkpoint_kept", 2).await;

    let (status, problem) = fork(&server, &id, Some(7), "!say x").await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("checkpoint_not_found")),
        "{problem}"
    );
    let (status, early) = fork(&server, &id, Some(1), "!run cat a.txt > early.txt").await;
    assert_eq!(status, StatusCode::CREATED, "{early}");
    assert_eq!(early["origin"], json!({"session": id, "checkpoint": 1}));
    let (_, late) = fork(&server, &id, None, "!run cat a.txt > late.txt").await;
    let (early, late) = (early["id"].as_str().unwrap(), late["id"].as_str().unwrap());
    for (fork, name, content) in [(early, "early.txt", "one"), (late, "late.txt", "two")] {
        server.until(fork, "checkpoint_kept", 1).await;
        let view = server.view(fork).await;
        assert_eq!(view["phase"], "done", "{view}");
        let branch = view["branch"].as_str().unwrap();
        let files = tree(&server, branch);
        assert_eq!((files["a.txt"].as_str(), files[name].as_str()), (content, content));
        let origin = server.view(&id).await;
        let base = &origin["commits"][if fork == early { 0 } else { 1 }]["id"];
        assert_eq!(json!(server.place.git(&["rev-parse", &format!("{branch}^")])), *base);
        let (_, diff) = server.get(&format!("/sessions/{fork}/diff?turn=1")).await;
        assert_eq!(diff["files"].as_array().unwrap().len(), 1, "{diff}");
    }

    let (status, _) = server.post(&format!("/sessions/{id}/end"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    server.until(&id, "sandbox_destroyed", 1).await;
    let (status, problem) = fork(&server, &id, None, "!say x").await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::CONFLICT, Some("session_ended")),
        "{problem}"
    );
    prompt(&server, early, "!write more.txt more").await;
    server.until(early, "checkpoint_kept", 2).await;
    let view = server.view(early).await;
    assert_eq!(tree(&server, view["branch"].as_str().unwrap())["early.txt"], "one");
    server.clear().await;
}

#[tokio::test]
async fn a_fork_is_a_command_too() {
    let server = Server::start();
    let id = server.create("!write a.txt one").await;
    server.until(&id, "checkpoint_kept", 1).await;
    let text = server.place.say(&["fork", &id, "--title", "Another way", "!write b.txt two"]);
    assert!(text.contains("✔ committed") && text.contains("branch  lamplight/another-way-"), "{text}");
    let list: Value = serde_json::from_str(&server.place.say(&["sessions", "--json"])).unwrap();
    let forked = list["items"][0]["id"].as_str().unwrap();
    assert!(server.place.say(&["show", forked]).contains(&format!("fork of     {id} at checkpoint 1")));
    assert!(server.place.say(&["show", &id]).contains("kept 1      after turn 1"));
    assert!(server.place.say(&["restore", &id, "1"]).starts_with("It goes back to checkpoint 1"));
    server.until(&id, "files_restored", 1).await;
    server.clear().await;
}

/// A turn of many calls with a checkpoint behind each of them, while the next call is writing already; then forks of some and a
/// way back to others, and a server killed in between. What each has is what was there at one moment: the numbers up to one of them.
#[tokio::test]
async fn a_turn_that_is_kept_between_its_calls_goes_on_and_every_checkpoint_is_whole() {
    const CALLS: usize = 12;
    let mut server = Server::start();
    let mut random = fastrand::Rng::with_seed(11);
    let script = |more: &str| {
        let call =
            "!run for n in $(seq 5); do echo $(($(wc -l < count.txt) + 1)) >> count.txt; sleep 0.02; done\n";
        format!("!run touch count.txt\n{}{more}", call.repeat(CALLS))
    };
    for round in 0..rounds() {
        let limits = json!({"checkpoint_ms": 1, "identical_calls": 100});
        let request =
            json!({"repository": server.place.repository(), "prompt": script("!say end"), "limits": limits});
        let (status, view) = server.post("/sessions", request).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        let id = view["id"].as_str().unwrap().to_owned();
        server.until(&id, "checkpoint_kept", 2).await;
        if round % 2 == 1 {
            server.signal("KILL");
            server = Server::start_in(server.ended().1);
        }
        server.until(&id, "work_committed", 1).await;
        let view = server.view(&id).await;
        let check = |branch: &str, whole: bool| {
            let counted = server.place.git(&["show", &format!("{branch}:count.txt")]);
            let expected: Vec<String> = (1..=counted.lines().count()).map(|n| n.to_string()).collect();
            assert_eq!(counted.lines().collect::<Vec<_>>(), expected, "round {round}");
            assert!(!whole || expected.len() == CALLS * 5, "round {round}: {counted}");
        };
        check(view["branch"].as_str().unwrap(), true);

        let kept = numbers(&view);
        let (status, forked) =
            fork(&server, &id, random.choice(&kept).copied(), "!write fork.txt fork").await;
        assert_eq!(status, StatusCode::CREATED, "{forked}");
        let (status, problem) = restore(&server, &id, *random.choice(&kept).unwrap()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
        prompt(&server, &id, "!write back.txt back").await;
        server.until(&id, "work_committed", 2).await;
        server.until(forked["id"].as_str().unwrap(), "work_committed", 1).await;
        for session in [&id, forked["id"].as_str().unwrap()] {
            let view = server.view(session).await;
            assert_eq!(view["phase"], "done", "{view}");
            check(view["branch"].as_str().unwrap(), false);
        }
    }
    server.clear().await;
}
