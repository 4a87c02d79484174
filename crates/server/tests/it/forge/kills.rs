//! The server is killed between any two steps of its work for an issue, and started again: one session, one comment, one pull request.

use super::{REPOSITORY, Stage, Way};
use lamplight_fake_github::{Fault, Moment};

/// Each is where the server waits when it is killed: before GitHub has done it, or after.
const STEPS: [(&str, &str, Moment); 12] = [
    ("GET", "/collaborators/bob/permission", Moment::Hanging),
    ("POST", "/access_tokens", Moment::ThenHanging),
    ("POST", "/issues/1/reactions", Moment::Hanging),
    ("POST", "/issues/1/reactions", Moment::ThenHanging),
    ("POST", "/issues/1/comments", Moment::Hanging),
    ("POST", "/issues/1/comments", Moment::ThenHanging),
    ("GET", "/issues/1", Moment::Hanging),
    ("GET", "/info/refs", Moment::Hanging),
    ("POST", "/git-receive-pack", Moment::ThenHanging),
    ("POST", "/pulls", Moment::Hanging),
    ("POST", "/pulls", Moment::ThenHanging),
    ("PATCH", "", Moment::ThenHanging),
];

#[tokio::test]
async fn a_server_killed_between_any_two_steps_does_each_once() {
    for (method, path, moment) in STEPS {
        let mut stage = Stage::start(Way::App).await;
        let body = "!write a.txt one\n!say Done.";
        let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", body).await;
        stage.github.plan(Fault { method: method.parse().unwrap(), path, moment });
        stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
        let label = stage.github.deliveries().last().unwrap().clone();
        let asked = |stage: &Stage| {
            let is_it = |request: &String| request.starts_with(method) && request.ends_with(path);
            stage.github.requests().iter().any(is_it)
        };
        stage.until(path, || asked(&stage)).await;
        stage = stage.kill().await;
        assert_eq!(stage.github.redeliver(&label).await, Some(202));
        let id = stage.session().await;
        stage.server.until(&id, "work_committed", 1).await;
        stage.until("a pull request", || stage.github.pulls(REPOSITORY).len() == 1).await;
        stage.until_told(issue, "Done for now.").await;
        stage.until_told(issue, "Pull request: ").await;
        let counts =
            (stage.sessions().await.len(), stage.ours(issue).len(), stage.github.pulls(REPOSITORY).len());
        assert_eq!(counts, (1, 1, 1), "{method} {path} {moment:?}");
        let view = stage.server.view(&id).await;
        assert_eq!(view["turn"], 1, "{method} {path} {moment:?}");
        stage.server.clear().await;
    }
}

#[tokio::test]
async fn a_comment_that_was_heard_is_said_once_although_the_server_is_killed() {
    let mut stage = Stage::start(Way::App).await;
    let issue = stage.github.open_issue(REPOSITORY, "bob", "Fix it", "!say Done.").await;
    stage.github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    stage.server.until(&id, "work_committed", 1).await;
    for (turn, moment) in [(2, Moment::Hanging), (3, Moment::ThenHanging)] {
        stage.github.plan(Fault { method: "POST".parse().unwrap(), path: "/reactions", moment });
        let before = stage.github.requests().len();
        stage.github.comment(REPOSITORY, issue, "bob", "@lamplight more\n!say More.").await;
        let asked =
            |stage: &Stage| stage.github.requests()[before..].iter().any(|one| one.ends_with("/reactions"));
        stage.until("a reaction", || asked(&stage)).await;
        stage = stage.kill().await;
        stage.server.until(&id, "work_committed", turn).await;
    }
    assert_eq!(stage.server.view(&id).await["turn"], 3);
    stage.server.clear().await;
}
