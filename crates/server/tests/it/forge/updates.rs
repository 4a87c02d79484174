//! A pull request's branch is brought up to date from here, and the session goes on from there.

use super::{REPOSITORY, Stage, Way};
use serde_json::{Value, json};
use std::process::Command;

/// A session whose branch is in a pull request.
async fn published(stage: &Stage) -> String {
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", "!write a.txt one\n!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    stage.until_told(issue, "Pull request: ").await;
    stage.until_told(issue, "Done for now.").await;
    id
}

/// Somebody commits a file on GitHub.
fn push(stage: &Stage, branch: &str, file: &str, content: &str) {
    let upstream = stage.server.place.path("github/acme/api.git");
    let script = format!(
        "work=$(mktemp -d) && git clone -q --branch '{branch}' {upstream:?} $work && cd $work && echo {content} > {file} && git add . && \
         git -c user.name=Bob -c user.email=bob@example.org commit -qm '{file} by Bob' && git push -q origin HEAD && rm -rf $work"
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

async fn update(stage: &Stage, id: &str) -> (u16, Value) {
    let (status, answer) =
        stage.server.post(&format!("/sessions/{id}/pull-request/update"), Value::Null).await;
    (status.as_u16(), answer)
}

async fn commits(stage: &Stage, id: &str) -> Vec<String> {
    let view = stage.server.view(id).await;
    let ids =
        view["commits"].as_array().unwrap().iter().map(|commit| commit["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_merged_is_in_what_the_next_turn_goes_on_from() {
    let stage = Stage::start(Way::App).await;
    let id = published(&stage).await;
    let branch = stage.server.view(&id).await["branch"].as_str().unwrap().to_owned();
    push(&stage, "main", "base.txt", "newer");
    push(&stage, &branch, "suggested.txt", "suggested");
    let said = stage.server.place.say(&["pr", &id, "--update"]);
    assert!(said.starts_with("#") && !said.contains("does not show"), "{said}");
    let all = commits(&stage, &id).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(stage.there(&["rev-parse", &branch]), all[1]);
    let subjects = stage.there(&["log", "--format=%s|%an", "--first-parent", "-3", &branch]);
    let expected = format!("Merge main into {branch}|bob\nsuggested.txt by Bob|Bob\n");
    assert!(subjects.starts_with(&expected), "{subjects}");

    // Again: there is nothing to do.
    let (status, standing) = update(&stage, &id).await;
    assert_eq!((status, &standing["is_current"]), (200, &json!(true)), "{standing}");
    assert_eq!(commits(&stage, &id).await, all);

    let prompt = json!({ "text": "!run cat base.txt suggested.txt > seen.txt" });
    stage.server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    let log = stage.server.until(&id, "work_committed", 2).await;
    let kinds: Vec<_> = log.iter().map(|entry| entry["event"]["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"branch_updated") && kinds.contains(&"workspace_updated"), "{kinds:?}");
    let all = commits(&stage, &id).await;
    stage.until("the branch", || stage.there(&["rev-parse", &branch]) == all[2]).await;
    assert_eq!(stage.there(&["rev-parse", &format!("{branch}^")]), all[1]);
    assert_eq!(stage.there(&["diff", "--name-only", &all[1], &all[2]]), "seen.txt");
    assert_eq!(stage.there(&["show", &format!("{branch}:seen.txt")]), "newer\nsuggested");
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_brought_up_to_date_stays_and_says_why() {
    let stage = Stage::start(Way::App).await;
    let id = published(&stage).await;
    let before = commits(&stage, &id).await;
    let refused = async |code: &str, why: &str| {
        let (status, problem) = update(&stage, &id).await;
        assert_eq!((status, &problem["code"]), (409, &json!(code)), "{problem}");
        let said = format!("{} {}", problem["detail"], problem["what_to_do"]);
        assert!(said.contains(why), "{problem}");
    };
    stage.server.post(&format!("/sessions/{id}/prompts"), json!({ "text": "!hang" })).await;
    stage.server.until(&id, "turn_started", 2).await;
    push(&stage, "main", "a.txt", "three");
    refused("merge_conflict", "both changed a.txt").await;
    push(&stage, "main", "a.txt", "one");
    refused("turn_running", "turn 2 is running").await;
    stage.server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    stage.server.until(&id, "turn_ended", 2).await;

    // Who asks may not write there.
    let (path, moment) = ("/git-receive-pack", lamplight_fake_github::Moment::Instead(403));
    stage.github.plan(lamplight_fake_github::Fault { method: "POST".parse().unwrap(), path, moment });
    stage.server.until(&id, "work_committed", 2).await;
    refused("push_refused", "See that the token may push to acme/api").await;
    assert_eq!(commits(&stage, &id).await.first(), before.first());
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_before_it_is_published_publishes_it() {
    let mut stage = Stage::start(Way::App).await;
    let id = published(&stage).await;
    let branch = stage.server.view(&id).await["branch"].as_str().unwrap().to_owned();
    push(&stage, "main", "base.txt", "newer");
    let path = "/git-receive-pack";
    let moment = lamplight_fake_github::Moment::Hanging;
    stage.github.plan(lamplight_fake_github::Fault { method: "POST".parse().unwrap(), path, moment });
    let url = format!("/api/v1/sessions/{id}/pull-request/update");
    let asking = stage.server.request("POST".parse().unwrap(), &url).json(&Value::Null).send();
    let before = stage.count("POST /acme/api.git/git-receive-pack");
    tokio::select! {
        _ = asking => {}
        () = stage.until("a push", || stage.count("POST /acme/api.git/git-receive-pack") > before) => {}
    }
    stage = stage.kill().await;
    let all = commits(&stage, &id).await;
    assert_eq!(all.len(), 2);
    stage.until("the branch", || stage.there(&["rev-parse", &branch]) == all[1]).await;
    stage.server.clear().await;
}
