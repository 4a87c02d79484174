//! A pull request is opened as the person who began the session, where they signed in by a GitHub App; else in the server's own name.

use super::others::Browser;
use super::rights::{REPOSITORY, Stage};
use crate::support::{PATIENCE, answer};
use lamplight_fake_github::{FakeGitHub, Permission};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The server's own name on GitHub.
const SERVER: &str = "ada";

/// Where Bea has an account, and people sign in by this app.
async fn stage(client_id: &str, github_more: &str) -> Stage {
    let stage = Stage::open_by(client_id, github_more, "").await;
    stage.github.know("bea", Permission::Write);
    stage.github.join("bea", "acme");
    stage
}

impl Stage {
    /// One of this person's, with one commit; its id.
    async fn worked(&self, token: &str) -> String {
        let repository = self.door.server.place.repository();
        let new = json!({ "repository": repository, "prompt": "!write a.txt one" });
        let (status, view) = self.door.ask(token, Method::POST, "/sessions", new).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        let id = view["id"].as_str().unwrap().to_owned();
        self.said(&id, "\"work_committed\"").await;
        id
    }

    /// Its log, once this is in it.
    async fn said(&self, id: &str, text: &str) -> String {
        let begun = tokio::time::Instant::now();
        loop {
            let (_, log) = self.door.get(&self.door.owner, &format!("/sessions/{id}/log?after=0")).await;
            let log = log.to_string();
            if log.contains(text) {
                return log;
            }
            assert!(begun.elapsed() < PATIENCE, "{text} is not in {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The owner publishes it. As whom it was opened on GitHub, and its log, once this is in it.
    async fn published(&self, id: &str, text: &str) -> (String, String) {
        let path = format!("/sessions/{id}/pull-request");
        let (status, shown) = self.door.ask(&self.door.owner, Method::POST, &path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
        let pulls = self.github.pulls(REPOSITORY);
        let pull = pulls.iter().find(|pull| pull["number"] == shown["number"]).unwrap();
        (pull["user"]["login"].as_str().unwrap().to_owned(), self.said(id, text).await)
    }

    /// What is begun anew for this person is opened as whom?
    async fn opened(&self, token: &str, text: &str) -> String {
        let id = self.worked(token).await;
        let (by, _) = self.published(&id, text).await;
        self.door.end(&id).await;
        by
    }

    async fn until_given_back(&self) {
        let begun = tokio::time::Instant::now();
        while !self.github.user_tokens().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.github.user_tokens());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Of all files below.
fn has(directory: &Path, canary: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return has(&path, canary);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
    })
}

#[tokio::test]
async fn what_others_had_a_hand_in_is_nobodys() {
    let stage = stage(FakeGitHub::APP_CLIENT_ID, "").await;
    let bea = stage.person("bea").await;
    let prompt = json!({ "text": "!write b.txt two" });
    let others = "in this server's own name: Olga worked in this session too.";
    for (token, text, opened_as) in
        [(&bea, "The pull request was opened as bea.", "bea"), (&stage.door.owner, others, SERVER)]
    {
        let id = stage.worked(&bea).await;
        let path = format!("/sessions/{id}/prompts");
        let (status, queued) = stage.door.ask(token, Method::POST, &path, prompt.clone()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{queued}");
        stage.said(&id, r#""work_committed","turn":2"#).await;
        assert_eq!(stage.published(&id, text).await.0, opened_as);
        stage.door.end(&id).await;
    }
}

const NOT_SIGNED_IN: &str = "opened in this server's own name: Bea Example is not signed in by GitHub here.";

#[tokio::test]
async fn a_pull_request_is_theirs_for_as_long_as_github_lets_us() {
    let stage = stage(FakeGitHub::APP_CLIENT_ID, "").await;
    let bea = stage.person("bea").await;
    assert_eq!(stage.github.user_tokens(), ["bea"]);
    let id = stage.worked(&bea).await;
    let (by, log) = stage.published(&id, "The pull request was opened as bea.").await;
    assert_eq!(by, "bea");
    // What is there is brought up to date by the server.
    let (by, _) = stage.published(&id, "pull_request_published").await;
    assert_eq!((by.as_str(), stage.github.pulls(REPOSITORY).len()), ("bea", 1));
    stage.door.end(&id).await;

    let refreshed = || stage.github.requests().iter().filter(|one| one.ends_with("/access_token")).count();
    assert_eq!(refreshed(), 1);
    stage.github.expire_user_tokens();
    assert_eq!(stage.opened(&bea, "opened as bea").await, "bea");
    assert_eq!(refreshed(), 2, "another was asked for");
    assert_eq!(stage.opened(&bea, "opened as bea").await, "bea");
    assert_eq!(refreshed(), 2, "and is used again");

    // She may not there any more: GitHub says so, and it is not hers.
    let id = stage.worked(&bea).await;
    stage.github.allow(REPOSITORY, "bea", Some(Permission::Read));
    let (by, _) = stage.published(&id, "in this server's own name: the token may not do this").await;
    assert_eq!(by, SERVER);
    stage.door.end(&id).await;
    stage.github.allow(REPOSITORY, "bea", Some(Permission::Write));

    // She has taken it back on GitHub.
    let id = stage.worked(&bea).await;
    stage.github.revoke_user_tokens("bea");
    assert_eq!(stage.published(&id, NOT_SIGNED_IN).await.0, SERVER);
    stage.door.end(&id).await;
    let asked = refreshed();
    assert_eq!(stage.opened(&bea, NOT_SIGNED_IN).await, SERVER);
    assert_eq!(refreshed(), asked, "what GitHub refused is not tried again");

    stage.door.server.signal("TERM");
    let (_, place) = stage.door.server.ended();
    for canary in ["ghu_canary", "ghr_canary", FakeGitHub::CLIENT_SECRET] {
        assert!(!log.contains(canary) && !has(&place.path("data"), canary), "{canary} is written down");
        assert!(!std::fs::read_to_string(place.path("server.log")).unwrap().contains(canary));
    }
}

#[tokio::test]
async fn it_is_given_back_when_they_are_not_let_in() {
    let stage = stage(FakeGitHub::APP_CLIENT_ID, "").await;
    stage.github.know("eve", Permission::Write);
    let mut browser = Browser::of(&stage.door.server);
    let address = browser.begin(json!({})).await;
    let back = browser.at_github(&address, "eve").await;
    let (told, cookie) = browser.back(&back).await;
    assert!(told.contains("not_invited") && cookie.is_none(), "{told}");
    let given = || stage.github.requests().iter().any(|one| one.ends_with("/token"));
    let begun = tokio::time::Instant::now();
    while !given() || !stage.github.user_tokens().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", stage.github.requests());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn it_is_given_back_when_they_leave() {
    let stage = stage(FakeGitHub::APP_CLIENT_ID, "").await;
    let bea = stage.person("bea").await;
    let cookie = Browser::of(&stage.door.server).sign_in("bea").await;
    let begun = tokio::time::Instant::now();
    while stage.github.user_tokens().len() > 1 {
        assert!(begun.elapsed() < PATIENCE, "the one of before is given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let request = stage.door.server.request(Method::POST, "/api/v1/sign-out/everywhere");
    let request = request.header(header::COOKIE, cookie).header(header::ORIGIN, &stage.door.server.base);
    assert_eq!(answer(request).await.0, StatusCode::NO_CONTENT);
    stage.until_given_back().await;
    assert_eq!(stage.opened(&bea, NOT_SIGNED_IN).await, SERVER);

    stage.person("bea").await;
    let id = stage.worked(&bea).await;
    let path = format!("/people/{}", stage.door.id("Bea Example").await);
    let (status, _) = stage.door.ask(&stage.door.owner, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    stage.until_given_back().await;
    assert_eq!(stage.published(&id, NOT_SIGNED_IN).await.0, SERVER);
    stage.door.end(&id).await;
}

#[tokio::test]
async fn nobody_speaks_for_somebody_else() {
    let more = "repositories = ['acme/api']\npoll_seconds = 1";
    let stage = stage(FakeGitHub::APP_CLIENT_ID, more).await;
    stage.person("bea").await;
    // Somebody who calls themselves as GitHub calls her, with the address of her commits.
    let (_, once) = stage
        .door
        .ask(&stage.door.owner, Method::POST, "/people/invitations", json!({ "role": "admin" }))
        .await;
    let number = stage.github.number_of("bea");
    let email = format!("{number}+bea@users.noreply.github.com");
    let body = json!({ "secret": once["secret"], "name": "bea", "email": email, "token": "test" });
    let (_, entered) = stage.door.server.post("/sign-in", body).await;
    let other = entered["token"].as_str().unwrap();
    assert_eq!(stage.opened(other, "name: bea is not signed in by GitHub here").await, SERVER);

    // What is asked for on GitHub is hers, whoever is called so here.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let before = stage.github.pulls(REPOSITORY).len();
    let issue = stage.github.open_issue(REPOSITORY, "bea", "Fix it", "!write b.txt two").await;
    stage.github.label(REPOSITORY, issue, "bea", "lamplight").await;
    let begun = tokio::time::Instant::now();
    while stage.github.pulls(REPOSITORY).len() == before {
        assert!(begun.elapsed() < PATIENCE, "{:?}", stage.github.requests());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.github.pulls(REPOSITORY).last().unwrap()["user"]["login"], "bea");
    // A child of that may be anybody's.
    let (_, list) = stage.door.get(&stage.door.owner, "/sessions").await;
    let parent = &list["items"][0]["id"];
    let new = json!({ "parent": parent, "base": "main", "prompt": "!write c.txt three" });
    let (status, child) = stage.door.ask(other, Method::POST, "/sessions", new).await;
    assert_eq!(status, StatusCode::CREATED, "{child}");
    let child = child["id"].as_str().unwrap();
    stage.said(child, "\"work_committed\"").await;
    let text = "in this server's own name: it is a child of a session that began on GitHub.";
    assert_eq!(stage.published(child, text).await.0, SERVER);
    let (_, list) = stage.door.get(&stage.door.owner, "/sessions").await;
    for session in list["items"].as_array().unwrap().iter().filter(|session| session["ended"] == false) {
        stage.door.end(session["id"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn of_an_oauth_app_nothing_is_kept() {
    let stage = stage(FakeGitHub::CLIENT_ID, "").await;
    let bea = stage.person("bea").await;
    assert_eq!(stage.opened(&bea, NOT_SIGNED_IN).await, SERVER);
}
