//! What the repository's own checks say is on the pull request before anybody is told that it is ready.

use super::{REPOSITORY, Stage, Way};
use serde_json::{Value, json};

/// The issue that is worked on in a repository whose check is this; the session.
async fn begin(stage: &Stage, check: &str) -> (u64, String) {
    let toml = format!("[check]\nrun = {check:?}\n");
    let (upstream, work) = (stage.server.place.path("github/acme/api.git"), stage.server.place.repository());
    std::fs::write(work.join(".lamplight.toml"), toml).unwrap();
    stage.server.place.git(&["add", "."]);
    stage.server.place.git(&["commit", "--quiet", "-m", "Name a check"]);
    stage.server.place.git(&["push", "--quiet", &upstream.to_string_lossy(), "main"]);
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", "!write a.txt one\n!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    (issue, stage.session().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_is_on_the_pull_request_and_nothing_is_ready_before() {
    let stage = Stage::start(Way::App).await;
    let (issue, id) = begin(&stage, "sleep 8; test -e a.txt").await;
    stage.until("a pull request", || stage.github.pulls(REPOSITORY).len() == 1).await;
    let body = || stage.github.pulls(REPOSITORY)[0]["body"].as_str().unwrap().to_owned();
    stage.until("the checks run", || body().contains("own checks run at")).await;
    let path = format!("/sessions/{id}/pull-request/ready");
    stage.server.until(&id, "pull_request_published", 1).await;
    let (status, problem) = stage.server.post(&path, Value::Null).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("checks_running")), "{problem}");

    stage.server.until(&id, "checks_ended", 1).await;
    stage.until("evidence", || body().contains("exit 0")).await;
    assert!(body().contains("own checks passed at"), "{}", body());
    let (status, ready) = stage.server.post(&path, Value::Null).await;
    assert_eq!((status.as_u16(), &ready["state"]), (200, &json!("open")), "{ready}");
    stage.until_told(issue, "Done for now.").await;
    stage.server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_asked_once_where_the_agent_does_not_come_to_an_end() {
    let stage = Stage::start(Way::App).await;
    let (issue, id) = begin(&stage, "echo why; exit 4").await;
    stage.server.until(&id, "checks_ended", 3).await;
    stage.until("a pull request", || stage.github.pulls(REPOSITORY).len() == 1).await;
    let pull = || stage.github.pulls(REPOSITORY)[0].clone();
    stage.until("evidence", || pull()["body"].as_str().unwrap().contains("| exit 4 |")).await;
    assert!(pull()["body"].as_str().unwrap().contains("> why"), "{}", pull());
    let number = pull()["number"].as_u64().unwrap();
    let asked = || {
        let all = stage.github.comments(REPOSITORY, number);
        all.into_iter()
            .filter(|comment| comment.contains("@bob, checks still fail (echo why; exit 4)"))
            .count()
    };
    // What is looked at again is not said again.
    for _ in 0..2 {
        let head = stage.server.view(&id).await["commits"][2]["id"].as_str().unwrap().to_owned();
        stage.github.check(REPOSITORY, &head, "lint", Some("success"), "").await;
        stage.until("a person is asked", || asked() > 0).await;
    }
    assert_eq!(asked(), 1);
    stage.until_told(issue, "Stuck. the repository's own checks failed at").await;
    assert_eq!(stage.server.view(&id).await["turn"], 3);
    stage.server.clear().await;
}
