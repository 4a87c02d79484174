//! A pull request seen and handled from here, and what `doctor` says of GitHub.

use super::{REPOSITORY, Stage, Way};
use lamplight_fake_github::Hook;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_is_seen_made_ready_and_closed_from_here() {
    let stage = Stage::start(Way::App).await;
    let github = &stage.github;
    let issue = github.open_issue(REPOSITORY, "bob", "Fix it", "!write a.txt one\n!say Done.").await;
    github.label(REPOSITORY, issue, "bob", "lamplight").await;
    let id = stage.session().await;
    let path = format!("/sessions/{id}/pull-request");
    stage.until_told(issue, "Pull request: ").await;
    let head = stage.server.view(&id).await["commits"][0]["id"].as_str().unwrap().to_owned();
    github.check(REPOSITORY, &head, "lint", Some("success"), "").await;
    github.check(REPOSITORY, &head, "tests", None, "").await;
    stage.server.get(&path).await;
    let (status, now) = stage.server.get(&path).await;
    assert_eq!(status, 200, "{now}");
    assert_eq!(
        (&now["state"], &now["mergeable"], &now["is_current"], &now["checks"]),
        (&json!("draft"), &json!(true), &json!(true), &json!({ "passed": 1, "running": 1, "failed": [] }))
    );

    for _ in 0..2 {
        let (status, ready) = stage.server.post(&format!("{path}/ready"), Value::Null).await;
        assert_eq!((status.as_u16(), &ready["state"]), (200, &json!("open")), "{ready}");
    }
    assert_eq!(github.pulls(REPOSITORY)[0]["draft"], false);
    assert_eq!(stage.server.view(&id).await["pull_request"]["draft"], false);
    let said = stage.server.place.say(&["pr", &id, "--close"]);
    assert!(said.starts_with(&format!("#{} closed; 1 checks passed, 1 running: ", now["number"])), "{said}");
    let (status, problem) = stage.server.post(&format!("{path}/ready"), Value::Null).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("pull_request_closed")), "{problem}");
    stage.server.clear().await;
}

fn of_github(said: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(said).unwrap();
    let findings = report["findings"].as_array().unwrap().iter().filter(|found| found["name"] == "GitHub");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.map(|found| (text(&found["state"]), text(&found["detail"]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_is_wrong_on_github() {
    let stage = Stage::start(Way::Both).await;
    let doctor =
        || of_github(&String::from_utf8(stage.server.place.run(&["doctor", "--json"]).stdout).unwrap());
    stage.github.open_issue(REPOSITORY, "bob", "Title", "").await;
    let well = |findings: &[(String, String)]| findings.iter().all(|(state, _)| state == "ok");
    let findings = doctor();
    assert!(well(&findings) && findings.len() == 3, "{findings:?}");
    assert!(
        findings[0].1.contains("the App lamplight") && findings[2].1.contains("acme/api"),
        "{findings:?}"
    );

    stage.github.send_to(Some(Hook { secret: "another-secret-of-somebody".to_owned(), ..stage.hook() }));
    stage.github.open_issue(REPOSITORY, "bob", "Title", "").await;
    let findings = doctor();
    assert!(
        findings[1].1.contains("1 of the last 2 webhook deliveries did not arrive; issues (401)"),
        "{findings:?}"
    );

    stage.github.send_to(Some(Hook { path: "/elsewhere".to_owned(), ..stage.hook() }));
    let findings = doctor();
    assert!(
        findings[1].1.contains("webhook sends to") && findings[1].1.ends_with("/elsewhere"),
        "{findings:?}"
    );
    stage.connect();

    // Each address is its own.
    for (variable, expected) in [
        ("LAMPLIGHT_GITHUB_GRAPHQL", "does not answer as GraphQL"),
        ("LAMPLIGHT_GITHUB_GIT", "cannot be read by git"),
    ] {
        let mut command = stage.server.place.command(&["doctor", "--json"]);
        command.env(variable, stage.github.api());
        let findings = of_github(&String::from_utf8(command.output().unwrap().stdout).unwrap());
        let unwell: Vec<_> = findings.iter().filter(|(state, _)| state != "ok").collect();
        assert!(unwell.iter().any(|(_, detail)| detail.contains(expected)), "{variable} {findings:?}");
    }

    let mut app = super::app(&stage.server.place.path("app.pem"));
    app.permissions.remove("checks");
    app.permissions.insert("contents".to_owned(), "read".to_owned());
    stage.github.register(app);
    let findings = doctor();
    assert!(findings[0].1.contains("may not: checks (read), contents (write)"), "{findings:?}");

    // The key is of another App now.
    super::app(&stage.server.place.path("app.pem"));
    assert!(doctor()[0].1.contains("does not take the App's key"), "{:?}", doctor());
}
