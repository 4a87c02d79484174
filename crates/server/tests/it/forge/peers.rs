//! A whole session on GitHub with a judge between: all that the server asks of REST goes through Prism, which knows GitHub's own description of it,
//! to our fake. `cargo xtask test --peers` starts Prism, and judges by GitHub's schema what is asked of GraphQL; without it this does nothing.

use super::{APP, REPOSITORY, SECRET, Stage, TOKEN, Way, app};
use crate::support::{Place, Server};
use lamplight_fake_github::{FakeGitHub, Judge, Permission};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write as _;

fn said(name: &str) -> Option<String> {
    std::env::var(format!("LAMPLIGHT_PEERS_{name}")).ok()
}

/// As [`Stage::start`] has it, with the fake where Prism looks for it, and REST where the judge is.
async fn start(judge: &Judge, upstream: &str) -> Stage {
    let mut place = Place::new();
    std::fs::create_dir_all(place.path("github/acme")).unwrap();
    let bare = place.path("github/acme/api.git").to_string_lossy().into_owned();
    place.git(&["clone", "--quiet", "--bare", ".", &bare]);
    let address = upstream.parse().unwrap();
    let github = FakeGitHub::start_at(&place.path("github"), TOKEN, address).await.unwrap();
    github.know("bob", Permission::Write);
    let key = place.path("app.pem");
    github.register(app(&key));
    place.environment.push(("GITHUB_WEBHOOK_SECRET", SECRET));
    let mut config = OpenOptions::new().append(true).open(place.path("lamplight.toml")).unwrap();
    let (api, graphql, git) = (judge.address(), github.graphql(), github.git());
    writeln!(
        config,
        "[github]\napi = {api:?}\ngraphql = {graphql:?}\ngit = {git:?}\napp_id = {APP}\nprivate_key_file = {key:?}\n\
         repositories = ['acme/api']\npoll_seconds = 1"
    )
    .unwrap();
    let stage = Stage { server: Server::start_in(place), github, way: Way::Both };
    stage.connect();
    stage.until("it has looked", || stage.count("GET /repos/acme/api/issues") > 0).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_session_asks_nothing_that_is_against_githubs_own_description() {
    let (Some(prism), Some(upstream)) = (said("PRISM_OF_FAKE"), said("FAKE")) else {
        println!("skipped: cargo xtask test --peers starts what this needs");
        return;
    };
    let judge = Judge::start(prism).await.unwrap();
    let stage = start(&judge, &upstream).await;
    let github = &stage.github;
    let issue = github.open_issue(REPOSITORY, "bob", "Fix it", "!write a.txt one\n!say Done.").await;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    stage.until_told(issue, "Pull request: ").await;
    stage.until_told(issue, "Done for now.").await;
    let pull = github.pulls(REPOSITORY)[0]["number"].as_u64().unwrap();
    assert_eq!(github.pulls(REPOSITORY)[0]["draft"], true);

    let remark = [("a.txt", 1, "Say two.\n!write a.txt two\n!say Two.")];
    let remarks = github.review(REPOSITORY, pull, "bob", "", &remark).await;
    stage.server.until(&id, "work_committed", 2).await;
    stage.until("an answer", || github.replies(remarks[0]).len() == 1).await;
    let view = stage.server.view(&id).await;
    let second = view["commits"][1]["id"].as_str().unwrap();
    stage
        .until("it is told", || github.pulls(REPOSITORY)[0]["body"].as_str().unwrap().contains(second))
        .await;

    let path = format!("/sessions/{id}/pull-request");
    stage.server.get(&path).await;
    let (status, ready) = stage.server.post(&format!("{path}/ready"), Value::Null).await;
    assert_eq!((status.as_u16(), &ready["state"]), (200, &Value::from("open")), "{ready}");
    let findings = stage.server.place.say(&["doctor"]);
    assert!(findings.contains("the App lamplight"), "{findings}");
    let (status, closed) = stage.server.post(&format!("{path}/close"), Value::Null).await;
    assert_eq!(status.as_u16(), 200, "{closed}");
    stage.server.clear().await;

    let judged = judge.judged();
    let wrong: Vec<_> = judged.iter().filter(|one| !one.violations.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} requests were judged", judged.len());
    for part in
        ["/access_tokens ", "/reactions ", "POST /repos/acme/api/pulls ", "/replies ", "/app/hook/config "]
    {
        assert!(judged.iter().any(|one| one.request.contains(part)), "{part}: {judged:#?}");
    }
    let asked = github.graphql_asked();
    assert!(asked.len() >= 2, "{asked:?}");
    let asked: String = asked.iter().map(|one| format!("{one}\n")).collect();
    std::fs::write(said("GRAPHQL").unwrap(), asked).unwrap();
}
