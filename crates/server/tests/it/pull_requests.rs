//! A session's branch becomes a draft pull request on a GitHub that is as strict as the real one.

use crate::support::{Place, Server};
use axum::http::StatusCode;
use lamplight_fake_github::{FakeGitHub, Fault, Moment};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

const TOKEN: &str = "ghp_Q7vX2mK9pR4tY8wB3nZ6cD1fG5hJ0lS";
const REPOSITORY: &str = "acme/api";

/// The person's repository is a clone of one on GitHub.
async fn place() -> (Place, FakeGitHub) {
    let mut place = Place::new();
    place.environment.push(("GITHUB_TOKEN", TOKEN));
    std::fs::create_dir_all(place.path("github/acme")).unwrap();
    let upstream = upstream(&place);
    place.git(&["clone", "--quiet", "--bare", ".", &upstream]);
    place.git(&["remote", "add", "origin", "git@github.com:acme/api.git"]);
    let github = FakeGitHub::start(&place.path("github"), TOKEN).await.unwrap();
    let mut config = OpenOptions::new().append(true).open(place.path("lamplight.toml")).unwrap();
    writeln!(config, "[github]\napi = {:?}\ngit = {:?}", github.api(), github.git()).unwrap();
    (place, github)
}

fn upstream(place: &Place) -> String {
    place.path("github/acme/api.git").to_string_lossy().into_owned()
}

/// What git says in the repository on GitHub.
fn there(place: &Place, arguments: &[&str]) -> String {
    let person = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"];
    let output =
        Command::new("git").args(["-C", &upstream(place)]).args(person).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn publish(server: &Server, id: &str) -> (StatusCode, Value) {
    server.post(&format!("/sessions/{id}/pull-request"), Value::Null).await
}

/// The branch's newest commit, as the session has it and as GitHub has it.
async fn heads(server: &Server, id: &str) -> (String, String) {
    let view = server.view(id).await;
    let here = view["commits"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    (here, there(&server.place, &["rev-parse", view["branch"].as_str().unwrap()]))
}

async fn prompt(server: &Server, id: &str, text: &str, commits: usize) {
    server.post(&format!("/sessions/{id}/prompts"), json!({ "text": text })).await;
    server.until(id, "work_committed", commits).await;
}

// The command is waited for here, while the fake answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_opened_once_and_kept_up_to_date_beside_what_people_write() {
    let (place, github) = place().await;
    let server = Server::start_in(place);
    let id = server.create("!write a.txt one\n!say Done, @bob. This fixes #1").await;
    server.until(&id, "work_committed", 1).await;

    let said = server.place.say(&["pr", &id]);
    assert!(said.starts_with("acme/api#1 (draft) shows "), "{said}");
    let view = server.view(&id).await;
    let pull = github.pulls(REPOSITORY).remove(0);
    assert_eq!(
        (&pull["draft"], &pull["head"]["ref"], &pull["base"]["ref"]),
        (&json!(true), &view["branch"], &json!("main"))
    );
    assert_eq!(view["pull_request"]["number"], 1);
    let (here, on_github) = heads(&server, &id).await;
    assert_eq!((&here, view["pull_request"]["head"].as_str()), (&on_github, Some(here.as_str())));
    let body = pull["body"].as_str().unwrap();
    assert!(body.contains(&here) && body.contains("Done, ") && body.contains("1 turn"), "{body}");
    assert!(!body.contains("@bob") && !body.contains("#1"), "nobody is called, nothing is closed: {body}");

    github.edit(REPOSITORY, 1, |body| {
        // Between our marks too.
        let body = body.replace("1 turn", "1 turn, as Bob has seen");
        format!("By a person.\n\n{body}\n\nAlso by a person.").replace('\n', "\r\n")
    });
    prompt(&server, &id, "!write b.txt two", 2).await;
    let (status, again) = publish(&server, &id).await;
    assert_eq!((status, &again["number"]), (StatusCode::OK, &json!(1)));
    let pulls = github.pulls(REPOSITORY);
    let body = pulls[0]["body"].as_str().unwrap();
    assert!(body.starts_with("By a person.") && body.ends_with("Also by a person."), "{body}");
    assert_eq!(body.matches("1 turn, as Bob has seen").count(), 1, "{body}");
    let (here, on_github) = heads(&server, &id).await;
    assert!(
        pulls.len() == 1 && here == on_github && body.contains(&here) && body.contains("2 turns"),
        "{body}"
    );

    let log = server.until(&id, "pull_request_published", 2).await;
    assert!(!serde_json::to_string(&log).unwrap().contains(TOKEN));
    assert!(!std::fs::read_to_string(server.place.path("server.log")).unwrap().contains(TOKEN));
    server.clear().await;
}

#[tokio::test]
async fn a_branch_that_went_back_replaces_its_own_commits_and_nobody_elses() {
    let (place, _github) = place().await;
    let server = Server::start_in(place);
    let id = server.create("!write a.txt one").await;
    server.until(&id, "work_committed", 1).await;
    prompt(&server, &id, "!write b.txt two", 2).await;
    assert_eq!(publish(&server, &id).await.0, StatusCode::OK);

    server.until(&id, "checkpoint_kept", 2).await;
    server.post(&format!("/sessions/{id}/restore"), json!({ "checkpoint": 1 })).await;
    server.until(&id, "files_restored", 1).await;
    prompt(&server, &id, "!write c.txt three", 3).await;
    assert_eq!(publish(&server, &id).await.0, StatusCode::OK);
    let (here, on_github) = heads(&server, &id).await;
    assert_eq!(here, on_github);

    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    let tree = there(&server.place, &["rev-parse", &format!("{branch}^{{tree}}")]);
    let theirs = there(&server.place, &["commit-tree", &tree, "-p", &branch, "-m", "By Bob"]);
    there(&server.place, &["update-ref", &format!("refs/heads/{branch}"), &theirs]);
    prompt(&server, &id, "!write d.txt four", 4).await;
    let (status, problem) = publish(&server, &id).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("push_refused")), "{problem}");
    assert_eq!(there(&server.place, &["rev-parse", &branch]), theirs);
    server.clear().await;
}

#[tokio::test]
async fn what_fails_is_said_and_done_once_when_tried_again() {
    let (place, github) = place().await;
    let server = Server::start_in(place);
    let id = server.create("!say Nothing to do").await;
    server.until(&id, "work_committed", 1).await;
    let (status, problem) = publish(&server, &id).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("nothing_to_publish")));

    prompt(&server, &id, "!write a.txt one", 2).await;
    let post = |moment| Fault { method: axum::http::Method::POST, path: "/pulls", moment };
    github.plan(post(Moment::Instead(503)));
    let (status, problem) = publish(&server, &id).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_GATEWAY, &json!("github_unreachable")),
        "{problem}"
    );
    github.plan(post(Moment::ThenDropped));
    assert_eq!(publish(&server, &id).await.0, StatusCode::OK);
    assert_eq!(github.pulls(REPOSITORY).len(), 1);

    server.place.git(&["remote", "set-url", "origin", "https://example.org/acme/api.git"]);
    let (status, problem) = publish(&server, &id).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("no_forge")));
    server.clear().await;
}

#[tokio::test]
async fn without_a_token_it_says_how_to_give_one() {
    let (mut place, _github) = place().await;
    place.environment.clear();
    let server = Server::start_in(place);
    let id = server.create("!write a.txt one").await;
    server.until(&id, "work_committed", 1).await;
    let (status, problem) = publish(&server, &id).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("no_forge")));
    assert!(problem["what_to_do"].as_str().unwrap().contains("GITHUB_TOKEN"), "{problem}");
    server.clear().await;
}
