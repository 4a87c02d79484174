//! A repository's own checks run on what a turn has committed, in a sandbox that the session has nothing to do with.

use crate::support::{PATIENCE, Place, Server};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

pub(crate) fn place(files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    for (name, content) in files {
        fs::write(place.repository().join(name), content).unwrap();
    }
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "More"]);
    place
}

fn events<'a>(log: &'a [Value], kind: &str) -> Vec<&'a Value> {
    log.iter().map(|entry| &entry["event"]).filter(|event| event["type"] == kind).collect()
}

/// Sandboxes' files that are there: the session's, a prepared layer's, one's of checks.
fn kept(place: &Place) -> usize {
    let all = fs::read_dir(place.path("data/sandboxes")).unwrap().map(|entry| entry.unwrap().file_name());
    all.filter(|name| name.len() == 26).count()
}

async fn until_kept(place: &Place, count: usize) {
    let wait = async {
        while kept(place) != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "{} are kept, and not {count}", kept(place));
}

#[tokio::test]
async fn checks_see_what_is_committed_and_what_the_setup_made_and_nothing_else() {
    let commands = "\
[setup]
run = 'mkdir deps && echo made > deps/id'
[check]
run = [
  'grep -q made deps/id && grep -qx one a.txt && ! test -e deps/left',
  '! git push -q http://127.0.0.1:7411/git/repository.git HEAD:refs/heads/evil 2> why; cat why; grep -q \"nothing may be pushed\" why',
  'printf \"%s\\n\" \"$CI\" && git status --porcelain',
]
";
    let server = Server::start_in(place(&[(".lamplight.toml", commands), (".gitignore", "deps\nwhy\n")]));
    let id = server.create("!write a.txt one\n!run echo left > deps/left\n!say Done.").await;
    let log = server.until(&id, "checks_ended", 1).await;
    let asked = events(&log, "checks_requested")[0];
    assert_eq!(asked["plan"]["detected"], Value::Null);
    let ended = events(&log, "checks_ended")[0];
    assert_eq!(ended["verdict"], "passed", "{ended:#}");
    let ran = ended["commands"].as_array().unwrap();
    assert_eq!((ran.len(), &ran[2]["said"]), (3, &json!("true")), "{ended:#}");
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], &view["checks"]["state"]), (&json!("done"), &json!("passed")));
    assert_eq!(view["checks"]["commit"], view["commits"][0]["id"]);
    assert_eq!(server.place.git(&["branch", "--list", "evil"]), "");

    let (_, list) = server.get(&format!("/sessions/{id}/artifacts")).await;
    assert_eq!(list["items"][0]["name"], "checks/turn-1.log", "{list}");
    let said = server.place.say(&["show", &id]);
    assert!(said.contains("checks      passed at ") && said.contains("(exit 0, "), "{said}");
    until_kept(&server.place, 2).await;
    server.clear().await;
}

#[tokio::test]
async fn the_agent_repairs_what_fails_and_cannot_change_what_it_is_judged_by() {
    let toml = "[check]\nrun = 'test -e turn-2.md || { echo it is missing >&2; exit 3; }'\n";
    let server = Server::start_in(place(&[(".lamplight.toml", toml)]));
    let id = server.create("!run printf '[check]\\nrun = \"true\"\\n' > .lamplight.toml").await;
    let log = server.until(&id, "checks_ended", 2).await;
    let ended = events(&log, "checks_ended");
    let told = events(&log, "prompt_queued")[1];
    assert_eq!((&ended[0]["verdict"], &ended[0]["prompt"]), (&json!("failed"), &told["prompt"]));
    assert_eq!(ended[0]["commands"][0]["status"], json!({ "ended": "code", "code": 3 }));
    assert_eq!(told["by"], "the checks");
    assert!(told["text"].as_str().unwrap().contains("exit 3\n> it is missing"), "{told}");
    assert_eq!((&ended[1]["verdict"], ended[1].get("prompt")), (&json!("passed"), None));
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], &view["turn"]), (&json!("done"), &json!(2)), "{view}");
    server.clear().await;
}

#[tokio::test]
async fn what_takes_too_long_is_ended_and_after_two_tries_a_person_is_asked() {
    let toml = "[check]\nrun = 'echo begun; exec sleep 600'\ntimeout_s = 1\n";
    let server = Server::start_in(place(&[(".lamplight.toml", toml)]));
    let id = server.create("!write a.txt one").await;
    let log = server.until(&id, "checks_ended", 3).await;
    for ended in events(&log, "checks_ended") {
        let ran = &ended["commands"][0];
        assert_eq!(
            (&ended["verdict"], &ran["status"], &ran["said"]),
            (&json!("failed"), &Value::Null, &json!("begun"))
        );
    }
    let view = server.view(&id).await;
    let reason = view["reason"].as_str().unwrap();
    assert_eq!((&view["phase"], &view["turn"]), (&json!("stuck"), &json!(3)));
    assert!(reason.contains("own checks failed at") && reason.ends_with("; prompt to go on"), "{reason}");
    assert!(server.place.say(&["show", &id]).contains("(out of time, "));
    until_kept(&server.place, 1).await;
    server.clear().await;
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_runs_them_again() {
    let toml = "[check]\nrun = 'sleep 1; test -e a.txt'\n";
    let server = Server::start_in(place(&[(".lamplight.toml", toml)]));
    let id = server.create("!write a.txt one").await;
    server.until(&id, "checks_requested", 1).await;
    until_kept(&server.place, 2).await;
    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    let log = server.until(&id, "checks_ended", 1).await;
    assert_eq!(
        (events(&log, "checks_requested").len(), &log.last().unwrap()["event"]["verdict"]),
        (1, &json!("passed"))
    );
    assert_eq!(server.view(&id).await["phase"], "done");
    until_kept(&server.place, 1).await;
    server.clear().await;
}

#[tokio::test]
async fn who_stops_the_session_stops_its_checks() {
    let toml = "[check]\nrun = 'sleep 600'\n";
    let server = Server::start_in(place(&[(".lamplight.toml", toml)]));
    let id = server.create("!write a.txt one").await;
    server.until(&id, "checks_requested", 1).await;
    until_kept(&server.place, 2).await;
    let view = server.view(&id).await;
    assert_eq!(
        (&view["phase"], &view["checks"]["state"]),
        (&json!("executing"), &json!("running")),
        "{view}"
    );
    let (status, view) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!((status.as_u16(), &view["checks"]["state"]), (202, &json!("stopped")), "{view}");
    until_kept(&server.place, 1).await;
    server.clear().await;
}

#[tokio::test]
async fn what_is_usual_is_detected_unless_nobody_wants_it() {
    let package = ("package.json", r#"{"scripts":{"test":"test -e a.txt && echo it is there"}}"#);
    for (variable, expected) in [("detected", "checks_ended"), ("named", "nothing_to_check"), ("never", "")] {
        let mut place = place(&[package]);
        place.environment.push(("LAMPLIGHT_CHECKS_RUN", variable));
        let server = Server::start_in(place);
        let id = server.create("!write a.txt one").await;
        let kind = if expected.is_empty() { "checkpoint_kept" } else { expected };
        let log = server.until(&id, kind, 1).await;
        let found = ["checks_ended", "nothing_to_check"].map(|kind| events(&log, kind).len());
        assert_eq!(found, [usize::from(variable == "detected"), usize::from(variable == "named")]);
        if variable == "detected" {
            assert_eq!(events(&log, "checks_requested")[0]["plan"]["detected"], "package.json");
            let ended = events(&log, "checks_ended")[0];
            assert_eq!(ended["verdict"], "passed", "{ended}");
            assert_eq!(ended["commands"][0]["command"], "npm test");
        }
        server.clear().await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_checks_is_told_and_nothing_runs() {
    let server = Server::start_in(place(&[(".lamplight.toml", "[check]\nrum = 'x'\n")]));
    let id = server.create("!write a.txt one").await;
    let log = server.until(&id, "nothing_to_check", 1).await;
    let why = log.last().unwrap()["event"]["why"].as_str().unwrap();
    assert!(why.starts_with(".lamplight.toml: unknown field `rum`"), "{why}");
    assert_eq!(server.view(&id).await["phase"], "done");
    server.clear().await;
}

#[tokio::test]
async fn a_setup_that_fails_is_no_failure_of_the_agent() {
    let toml = "[setup]\nrun = 'echo why it fails; false'\n[check]\nrun = 'true'\n";
    let server = Server::start_in(place(&[(".lamplight.toml", toml)]));
    let id = server.create("!write a.txt one").await;
    let log = server.until(&id, "checks_ended", 1).await;
    let ended = &log.last().unwrap()["event"];
    assert_eq!(ended["verdict"], "not_run", "{ended}");
    assert!(ended["why"].as_str().unwrap().contains("why it fails"), "{ended}");
    assert_eq!(server.view(&id).await["phase"], "done");
    server.clear().await;
}
