//! Who may have an automation that waits for what happens on GitHub: whoever may use the repository that its sessions have.

use super::rights::{REPOSITORY, Stage};
use crate::support::PATIENCE;
use lamplight_fake_github::{FakeGitHub, Permission};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Max is named for our copy of what is on GitHub as well, Moe for the clone alone.
const NAMED: &str = "[[repositories]]\npath = '{repository}'\npeople = ['Moe', 'Max']\n\
    [[repositories]]\npath = '{data}/mirrors/github.com/acme/api.git'\npeople = ['Max']\n";
const LOOKING: &str = "repositories = ['acme/api']\npoll_seconds = 1\nassignee = 'lamplight-user'\n";

impl Stage {
    /// Makes an automation that waits for an issue, and lets it run; the session, once it is at work.
    async fn run_on_issues(&self, token: &str, name: &str) -> String {
        let new = json!({
            "name": name, "repository": self.door.server.place.repository(), "text": "!write a.txt one\n!hang",
            "trigger": { "kind": "issue_opened" },
        });
        let (status, made) = self.door.ask(token, Method::POST, "/automations", new).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let path = format!("/automations/{}", made["id"].as_str().unwrap());
        let (status, run) = self.door.ask(token, Method::POST, &format!("{path}/run"), Value::Null).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{run}");
        let begun = tokio::time::Instant::now();
        loop {
            let (_, shown) = self.door.get(&self.door.owner, &path).await;
            if let Some(session) = shown["runs"][0]["session"].as_str() {
                self.until(session, |view| view["phase"] == "executing").await;
                return session.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{shown:#}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn an_automation_of_github_is_for_those_who_may_use_what_its_sessions_have() {
    let stage = Stage::open_by(FakeGitHub::CLIENT_ID, LOOKING, NAMED).await;
    let (moe, max) = (stage.door.person("Moe", "member").await, stage.door.person("Max", "member").await);
    let ada = stage.person("ada").await;
    let on_issues = json!({
        "name": "Moe's", "repository": stage.door.server.place.repository(), "text": "x", "trigger": { "kind": "issue_opened" },
    });
    let (status, problem) = stage.door.ask(&moe, Method::POST, "/automations", on_issues.clone()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("repository_not_allowed")));
    let by_clock = json!({ "trigger": { "kind": "cron", "expression": "0 3 * * *" } });
    let mut of_here = on_issues.clone();
    of_here.as_object_mut().unwrap().extend(by_clock.as_object().unwrap().clone());
    let (status, made) = stage.door.ask(&moe, Method::POST, "/automations", of_here).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");

    let (by_name, by_right) =
        (stage.run_on_issues(&max, "Max's").await, stage.run_on_issues(&ada, "Ada's").await);
    // What goes on is looked at as often as GitHub is asked.
    let asked = || stage.github.requests().iter().filter(|one| one.ends_with("/ada/permission")).count();
    let (before, begun) = (asked(), tokio::time::Instant::now());
    while asked() < before + 3 {
        assert!(begun.elapsed() < PATIENCE, "GitHub is asked again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for session in [&by_name, &by_right] {
        assert_eq!(stage.until(session, |_| true).await["phase"], "executing");
    }
    let path = format!("/sessions/{by_name}/prompts");
    let (status, said) = stage.door.ask(&max, Method::POST, &path, json!({ "text": "more" })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{said}");
    stage.github.allow(REPOSITORY, "ada", Some(Permission::Read));
    stage.until(&by_right, |view| view["phase"] == "stuck").await;
    for id in [by_name, by_right] {
        stage.door.end(&id).await;
    }
}
