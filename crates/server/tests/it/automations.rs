//! Sessions that begin by themselves: when it is time, once, for whoever wants them, and not for ever.

use crate::people::Door;
use crate::several::SHARED_KEY;
use crate::support::{PATIENCE, Place, Server};
use lamplight_domain::{SessionId, Timestamp};
use lamplight_store::{AutomationChange, AutomationRow, NewRun, Store};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(50);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An automation of this name, by the clock once a day; its id.
pub(crate) async fn add(server: &Server, name: &str, text: &str) -> String {
    let trigger = json!({ "kind": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin" });
    let new =
        json!({ "name": name, "repository": server.place.repository(), "text": text, "trigger": trigger });
    let (status, made) = server.post("/automations", new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn shown(server: &Server, id: &str) -> Value {
    let (status, shown) = server.get(&format!("/automations/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    shown
}

/// The automation once its newest run is so, and there are so many.
pub(crate) async fn until_run(server: &Server, id: &str, count: usize, state: &str) -> Value {
    let looking = async {
        loop {
            let shown = shown(server, id).await;
            let runs = shown["runs"].as_array().unwrap();
            assert!(runs.len() <= count, "{shown:#}");
            if runs.len() == count && runs[0]["state"] == state {
                return shown;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(shown) => shown,
        Err(_) => panic!("{count} runs, the last one {state}: {:#}", shown(server, id).await),
    }
}

async fn sessions(server: &Server) -> Vec<Value> {
    let (_, list) = server.get("/sessions?limit=100").await;
    list["items"].as_array().unwrap().clone()
}

/// Kills the server, does something to its store, and starts another in its place.
async fn meanwhile(server: Server, change: impl AsyncFnOnce(&Store)) -> Server {
    server.signal("KILL");
    let place = server.ended().1;
    let store = Store::open(&place.path("data")).unwrap();
    change(&store).await;
    store.close().await;
    drop(store);
    Server::start_in(place)
}

/// As if it should have run on some days before.
async fn let_be_due(store: &Store) {
    let row = store.automations().await.unwrap().remove(0);
    let due_at = row.due_at.map(|due| Timestamp(due.0 - 4 * DAY_MS));
    for change in [
        AutomationChange::Remove { id: row.id.clone() },
        AutomationChange::Add(AutomationRow { due_at, ..row }),
    ] {
        assert_eq!(store.change_automation(change).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn what_was_missed_runs_once_with_what_was_asked_for() {
    let server = Server::start();
    let add = [
        "automations",
        "add",
        "--name",
        "Nightly",
        "--cron",
        "0 3 * * *",
        "--timezone",
        "Europe/Berlin",
        "--budget",
        "1.50",
        "--network",
        "none",
        "--json",
        "!write a.txt one\n!say Done.",
    ];
    let made: Value = serde_json::from_str(&server.place.say(&add)).unwrap();
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["owner"], &made["failures"], &made["paused"]),
        (&json!("Ada"), &json!(0), &Value::Null)
    );
    assert_eq!((made["runs"].is_null(), made["next_run_at"].is_string()), (true, true));
    let twice = server.place.run(&add);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("there is an automation of this name"));

    let server = meanwhile(server, let_be_due).await;
    let shown = until_run(&server, id, 1, "done").await;
    assert_eq!(shown["runs"][0]["cause"], "it was time");
    assert_eq!(shown["next_run_at"], made["next_run_at"], "the next is as it was");
    let session = shown["runs"][0]["session"].as_str().unwrap();
    let view = server.view(session).await;
    assert_eq!((&view["title"], &view["person"]["name"]), (&json!("Nightly"), &json!("Ada")));
    assert_eq!((&view["budget_micros"], &view["network"]), (&json!(1_500_000), &json!({ "policy": "none" })));
    assert_eq!(sessions(&server).await.len(), 1);

    let told = server.place.say(&["automations", "show", "nightly"]);
    assert!(told.contains(session) && told.contains("0 3 * * * by the clocks of Europe/Berlin"), "{told}");
    let told = server.place.say(&["automations", "list"]);
    assert!(told.starts_with("Nightly ") && told.contains("· in "), "{told}");
    let paused = server.place.say(&["automations", "pause", "Nightly"]);
    assert!(paused.contains("paused: Ada paused it"), "{paused}");
    let server = meanwhile(server, async |store: &Store| {
        assert_eq!(store.automations_due(Timestamp(i64::MAX)).await.unwrap(), [], "no clock begins it");
    })
    .await;
    server.place.say(&["automations", "resume", "Nightly"]);
    server.place.say(&["automations", "remove", "Nightly"]);
    assert_eq!(server.get(&format!("/automations/{id}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(sessions(&server).await.len(), 1, "its sessions stay");
    server.clear().await;
}

/// Between the row and its session, and between the session and what the row says of it.
#[tokio::test]
async fn a_crash_in_the_middle_makes_neither_none_nor_two() {
    let server = Server::start();
    let id = add(&server, "Nightly", "!say Done.").await;
    let fresh = "01K00000000000000000000042".parse::<SessionId>().unwrap();
    let made: SessionId = server.create("!say It was made already.").await.parse().unwrap();
    server.until(made.as_str(), "work_committed", 1).await;
    let run = |key: &str, session: &SessionId| NewRun {
        automation: id.clone(),
        key: key.to_owned(),
        cause: r#"{"kind":"due"}"#.to_owned(),
        session: session.clone(),
        at: Timestamp(1),
    };
    let server = meanwhile(server, async |store: &Store| {
        let begin = AutomationChange::Begin(vec![run("a", &made)]);
        assert_eq!(store.change_automation(begin).await.unwrap(), 1);
    })
    .await;
    let shown = until_run(&server, &id, 1, "done").await;
    assert_eq!((&shown["runs"][0]["session"], sessions(&server).await.len()), (&json!(made.as_str()), 1));

    let server = meanwhile(server, async |store: &Store| {
        let begin = AutomationChange::Begin(vec![run("b", &fresh), run("b", &made)]);
        assert_eq!(store.change_automation(begin).await.unwrap(), 1);
    })
    .await;
    let shown = until_run(&server, &id, 2, "done").await;
    assert_eq!((&shown["runs"][0]["session"], sessions(&server).await.len()), (&json!(fresh.as_str()), 2));
    let prompts = server.until(fresh.as_str(), "work_committed", 1).await;
    assert_eq!(prompts.iter().filter(|entry| entry["event"]["type"] == "prompt_queued").count(), 1);
    server.clear().await;
}

#[tokio::test]
async fn three_failures_in_a_row_pause_it_until_a_person_resumes_it() {
    let server = Server::start();
    let id = add(&server, "Doomed", "!stop refusal").await;
    for n in 1..=3 {
        server.place.say(&["automations", "run", "Doomed"]);
        let shown = until_run(&server, &id, n, "failed").await;
        assert_eq!(shown["failures"], n);
        assert_eq!(shown["paused"].is_null(), n < 3, "{shown:#}");
        assert_eq!(shown["runs"][0]["cause"], "Ada asked for it");
    }
    let shown = shown(&server, &id).await;
    let reason = shown["paused"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("3 runs in a row failed") && reason.contains("refused"), "{reason}");
    assert_eq!(shown["next_run_at"], Value::Null);
    let told = server.place.say(&["automations", "list"]);
    assert!(told.contains("paused: 3 runs in a row failed"), "{told}");
    // Somebody may try whether it is mended, and it stays paused meanwhile.
    server.place.say(&["automations", "run", "Doomed"]);
    let tried = until_run(&server, &id, 4, "failed").await;
    assert_eq!(tried["paused"], shown["paused"]);
    let (status, resumed) = server.post(&format!("/automations/{id}/resume"), Value::Null).await;
    assert_eq!((status, &resumed["failures"], &resumed["paused"]), (StatusCode::OK, &json!(0), &Value::Null));
    assert!(resumed["next_run_at"].is_string(), "{resumed}");
    server.clear().await;
}

#[tokio::test]
async fn what_still_runs_is_not_begun_again() {
    let server = Server::start();
    let id = add(&server, "Long", "!hang").await;
    let (status, run) = server.post(&format!("/automations/{id}/run"), Value::Null).await;
    assert_eq!((status, &run["state"]), (StatusCode::ACCEPTED, &json!("waiting")));
    let shown = until_run(&server, &id, 1, "running").await;
    let session = shown["runs"][0]["session"].as_str().unwrap();
    server.until(session, "turn_started", 1).await;
    let (status, problem) = server.post(&format!("/automations/{id}/run"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("automation_running")));
    let other = |session: &str| NewRun {
        automation: id.clone(),
        key: "due/1".to_owned(),
        cause: r#"{"kind":"due"}"#.to_owned(),
        session: session.parse().unwrap(),
        at: Timestamp(1),
    };
    let server = meanwhile(server, async |store: &Store| {
        let begin = AutomationChange::Begin(vec![other("01K00000000000000000000042")]);
        assert_eq!(store.change_automation(begin).await.unwrap(), 1);
    })
    .await;
    let shown = until_run(&server, &id, 2, "skipped").await;
    assert_eq!(shown["runs"][0]["detail"], "the run before it has not ended");
    assert_eq!((&shown["runs"][0]["session"], &shown["runs"][1]["state"]), (&Value::Null, &json!("running")));
    server.post(&format!("/sessions/{session}/stop"), Value::Null).await;
    let looking = async {
        while self::shown(&server, &id).await["runs"][1]["state"] != "done" {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("whoever stopped it ended the run");
    server.clear().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_to_do() {
    let server = Server::start();
    let repository = server.place.repository();
    let check = async |change: Value, code: &str| {
        let mut new = json!({
            "name": "One", "repository": repository, "text": "Look after it",
            "trigger": { "kind": "cron", "expression": "0 9 * * 1-5" },
        });
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, problem) = server.post("/automations", new).await;
        assert!(status.is_client_error(), "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert!(!problem["what_to_do"].as_str().unwrap().is_empty(), "{problem}");
    };
    let cron = |expression: &str, timezone: &str| json!({ "trigger": { "kind": "cron", "expression": expression, "timezone": timezone } });
    check(cron("at nine", "UTC"), "cron_invalid").await;
    check(cron("0 0 30 2 *", "UTC"), "cron_never").await;
    check(cron("0 9 * * *", "Europe/Berln"), "timezone_unknown").await;
    check(json!({ "name": " " }), "invalid_request").await;
    check(json!({ "text": "" }), "invalid_request").await;
    check(json!({ "repository": "/nowhere" }), "repository_not_found").await;
    check(json!({ "agent": "nobody" }), "agent_unknown").await;
    for branch in ["*", "lamplight/*", "main:lamplight/x", "lamplight/other-01ja", "-f", "a b", "a\0b", ""] {
        check(json!({ "base": branch }), "invalid_request").await;
        for kind in ["pushed", "checks_failed"] {
            check(json!({ "trigger": { "kind": kind, "branch": branch } }), "invalid_request").await;
        }
    }
    check(json!({ "trigger": { "kind": "issue_opened" } }), "no_forge").await;
    check(json!({ "trigger": { "kind": "full_moon" } }), "invalid_request").await;
    for path in ["/automations/nothing/run", "/automations/nothing/pause", "/automations/nothing/resume"] {
        let (status, problem) = server.post(path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("automation_not_found")));
    }
}

#[tokio::test]
async fn it_is_its_owners_and_stops_when_they_may_not_any_more() {
    let door = Door::open("[[repositories]]\npath = '{repository}'\npeople = ['Mia', 'Max']\n").await;
    let (mia, max) = (door.person("Mia", "member").await, door.person("Max", "member").await);
    let moe = door.person("Moe", "member").await;
    let new = |name: &str| {
        json!({
            "name": name, "repository": door.server.place.repository(), "text": "!say Done.",
            "trigger": { "kind": "cron", "expression": "0 3 * * *" },
        })
    };
    let (status, _) = door.ask(&moe, Method::POST, "/automations", new("Moe's")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, made) = door.ask(&mia, Method::POST, "/automations", new("Mia's")).await;
    assert_eq!(
        (status, &made["owner"], &made["is_yours"]),
        (StatusCode::CREATED, &json!("Mia"), &json!(true))
    );
    let (_, other) = door.ask(&max, Method::POST, "/automations", new("Max's")).await;
    let path = |made: &Value| format!("/automations/{}", made["id"].as_str().unwrap());
    let (status, problem) =
        door.ask(&max, Method::POST, &format!("{}/pause", path(&made)), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("automation_not_yours")));
    let (status, _) = door.ask(&max, Method::DELETE, &path(&made), Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    door.ask(&mia, Method::POST, &format!("{}/run", path(&made)), Value::Null).await;
    let until = async |made: &Value, is_so: &dyn Fn(&Value) -> bool| {
        let looking = async {
            loop {
                let (_, shown) = door.get(&door.owner, &path(made)).await;
                if is_so(&shown) {
                    return shown;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("it comes to that")
    };
    let shown = until(&made, &|shown| shown["runs"][0]["state"] == "done").await;
    let session = shown["runs"][0]["session"].as_str().unwrap();
    let (_, view) = door.get(&door.owner, &format!("/sessions/{session}")).await;
    assert_eq!(view["person"], json!({ "name": "Mia", "email": "mia@example.org" }));

    let max_id = door.id("Max").await;
    door.ask(&door.owner, Method::DELETE, &format!("/people/{}", door.id("Mia").await), Value::Null).await;
    door.ask(&door.owner, Method::PUT, &format!("/people/{max_id}/role"), json!({ "role": "viewer" })).await;
    let shown = until(&made, &|shown| !shown["paused"].is_null()).await;
    assert_eq!(
        (&shown["paused"]["reason"], &shown["next_run_at"]),
        (&json!("Mia was removed"), &Value::Null)
    );
    let shown = until(&other, &|shown| !shown["paused"].is_null()).await;
    assert_eq!(shown["paused"]["reason"], "Max may only look now");
    // An admin who lets it run again all the same finds it paused again.
    let (status, _) = door.ask(&door.owner, Method::POST, &format!("{}/run", path(&made)), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let shown = until(&made, &|shown| shown["runs"][0]["state"] == "skipped").await;
    assert_eq!(shown["runs"][0]["detail"], "Mia was removed");
    let (_, audited) = door.get(&door.owner, "/audit?limit=50").await;
    let actions: Vec<&Value> =
        audited["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    for action in ["create_automation", "pause_automation", "run_automation", "remove_automation"] {
        assert!(actions.iter().any(|entry| *entry == action), "{action}: {actions:?}");
    }
    door.end(session).await;
}

#[tokio::test]
async fn of_two_servers_one_runs_it() {
    let mut place = Place::on_postgres();
    place.environment.push(SHARED_KEY);
    let one = Server::start_in(place);
    let other = Server::start_in(one.place.beside());
    let id = add(&other, "Shared", "!say Done.").await;
    let cluster = one.place.cluster.as_ref().unwrap();
    cluster.sql("UPDATE automations SET due_at = 1").unwrap();
    let shown = until_run(&other, &id, 1, "done").await;
    assert_eq!((shown["failures"].clone(), sessions(&one).await.len()), (json!(0), 1));
    other.clear().await;
    // Whichever is left goes on with it.
    one.signal("KILL");
    let (status, _) = other.post(&format!("/automations/{id}/run"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let shown = until_run(&other, &id, 2, "done").await;
    assert_eq!(shown["runs"][0]["cause"], "Ada asked for it");
    let session = shown["runs"][0]["session"].as_str().unwrap();
    let (status, ended) = other.post(&format!("/sessions/{session}/end"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{ended}");
}
