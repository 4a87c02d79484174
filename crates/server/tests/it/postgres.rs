//! A server whose log is on PostgreSQL.

use crate::kills;
use crate::support::{PATIENCE, Place, Server, away};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_session_goes_from_its_prompt_to_a_commit_and_two_readers_see_the_same() {
    let server = Server::start_in(Place::on_postgres());
    let id = server.create("!write one.txt one\n!say the needle is here").await;
    let readers = async { tokio::join!(read(&server, &id), read(&server, &id)) };
    let (one, two) = tokio::time::timeout(PATIENCE, readers).await.unwrap();
    for (place, entry) in (1..).zip(&one) {
        assert_eq!(entry["seq"], place, "seq is contiguous");
    }
    assert_eq!(one, two);
    let view = server.view(&id).await;
    assert_eq!(view["phase"], "done");
    let branch = view["branch"].as_str().unwrap();
    assert_eq!(server.place.git(&["show", &format!("{branch}:one.txt")]), "one");
    let (_, found) = server.get("/sessions?q=needle").await;
    assert_eq!(found["items"][0]["id"], view["id"], "{found}");
    let (_, audit) = server.get("/audit").await;
    assert_eq!(audit["items"][0]["action"], "create_session", "{audit}");

    server.signal("TERM");
    let server = Server::start_in(server.ended().1);
    let (_, page) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    assert_eq!(page["entries"].as_array().unwrap()[..one.len()], one, "the next server has the same log");
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!write two.txt two"})).await;
    server.until(&id, "checkpoint_kept", 2).await;
    assert_eq!(server.place.git(&["show", &format!("{branch}:two.txt")]), "two");
    server.clear().await;
}

/// So that neither is without the other, and both wait for the disk once.
#[tokio::test]
async fn what_a_session_is_told_and_its_entry_of_the_audit_log_are_one_transaction() {
    let server = Server::start_in(Place::on_postgres());
    let id = server.create("!say begun\n!hang").await;
    server.until(&id, "agent_spoke", 1).await;
    let (status, _) = server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say more"})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (status, _) =
        server.post(&format!("/sessions/{id}/budget"), json!({"budget_micros": 2_500_000})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let with_their_change = "SELECT audit.action || ' ' || audit.detail FROM audit JOIN log_batches ON audit.xmin = log_batches.xmin
        ORDER BY audit.id";
    let found = server.place.cluster.as_ref().unwrap().sql(with_their_change).unwrap();
    assert_eq!(
        found.lines().map(str::trim).collect::<Vec<_>>(),
        ["prompt_session", "set_budget $2.50", "stop_session"]
    );
    server.clear().await;
}

/// Everything up to the end of the first turn.
async fn read(server: &Server, id: &str) -> Vec<Value> {
    let mut socket = server.socket(&format!("/sessions/{id}/events?resume=0")).await;
    let mut entries = Vec::new();
    while entries.last().is_none_or(|entry: &Value| entry["event"]["type"] != "checkpoint_kept") {
        entries.push(socket.entry().await);
    }
    entries
}

/// Waits until `/readyz` answers so; what it says.
async fn ready(server: &Server, wanted: StatusCode) -> String {
    let asking = async {
        loop {
            let answer = server.request(Method::GET, "/readyz").send().await.unwrap();
            if answer.status() == wanted {
                return answer.text().await.unwrap();
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the server notices")
}

/// In the middle of a turn: nobody is left to wait, nothing is lost, and it goes on by itself.
#[tokio::test]
async fn a_database_that_is_away_for_a_while_is_told_and_costs_nothing() {
    let mut server = Server::start_in(Place::on_postgres());
    let id = server.create(&kills::prompt()).await;
    server.until(&id, "agent_thought", 1).await;
    server.place.cluster.as_mut().unwrap().crash();
    assert_eq!(ready(&server, StatusCode::SERVICE_UNAVAILABLE).await, "the database cannot be reached\n");
    let asked = server.place.run(&["ready"]);
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert_eq!((asked.status.code(), said.as_str()), (Some(1), "the database cannot be reached\n"));
    let (status, problem) = server.get("/sessions").await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"database_unreachable".into()));
    assert!(problem["what_to_do"].as_str().unwrap().contains("goes on by itself"), "{problem}");
    let asked = json!({"repository": server.place.repository(), "prompt": "!say more"});
    let refused = async {
        // The first may be what the server finds the connection lost with; it is refused when it is known not to be stored.
        loop {
            let (status, problem) = server.post("/sessions", asked.clone()).await;
            if problem["code"] == "database_unreachable" {
                return status;
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    away(Duration::ZERO).await;
    server.place.cluster.as_mut().unwrap().go_on();
    ready(&server, StatusCode::OK).await;
    server.until(&id, "checkpoint_kept", 1).await;
    kills::check(&server, &id, &mut None, 0).await;
    server.clear().await;
}

/// What fails though the database is there is nothing to wait for. Nobody asks for the session meanwhile, and its agent works on.
#[tokio::test]
async fn a_session_that_had_to_stop_goes_on_by_itself() {
    let server = Server::start_in(Place::on_postgres());
    let id = server.create("!think first\n!run sleep 3\n!write two.txt two\n!say done.").await;
    server.until(&id, "agent_thought", 1).await;
    let database = server.place.cluster.as_ref().unwrap();
    database.sql("ALTER TABLE log_batches ADD CONSTRAINT nothing CHECK (false) NOT VALID").unwrap();
    let stopped = async {
        while !std::fs::read_to_string(server.place.path("server.log")).unwrap().contains("had to stop") {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.expect("it stops");
    database.sql("ALTER TABLE log_batches DROP CONSTRAINT nothing").unwrap();
    // A view is what was stored last: it wakes nobody.
    let done = async {
        while server.view(&id).await["phase"] != "done" {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("it goes on");
    let entries = server.until(&id, "checkpoint_kept", 1).await;
    assert_eq!(entries.iter().filter(|entry| entry["event"]["type"] == "sandbox_created").count(), 1);
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:two.txt")]), "two");
    server.clear().await;
}

#[test]
fn doctor_says_which_database_it_is_and_what_is_wrong_with_it() {
    let place = Place::on_postgres();
    let database = |place: &Place| {
        let output = place.run(&["doctor", "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = told["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["name"] == "database").unwrap()
    };
    let found = database(&place);
    assert_eq!(found["state"], "ok", "{found}");
    assert!(found["detail"].as_str().unwrap().starts_with("PostgreSQL 1"), "{found}");
    let cluster = place.cluster.as_ref().unwrap();
    cluster.sql("ALTER DATABASE postgres SET synchronous_commit = off").unwrap();
    let found = database(&place);
    assert_eq!(found["state"], "missing", "{found}");
    assert!(found["detail"].as_str().unwrap().contains("synchronous_commit is off"), "{found}");
    let refused = place.run(&["serve"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("synchronous_commit is off"), "{said}");
    let refused = place.run(&["backup", "create", "copy"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("pg_dump"), "{said}");
}

#[test]
fn the_password_of_the_database_is_not_shown() {
    let mut place = Place::new();
    place.environment.push(("LAMPLIGHT_DATABASE", URL));
    let shown = place.run(&["config"]);
    let refused = place.run(&["serve"]);
    let said = [shown.stdout, shown.stderr, refused.stdout, refused.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!refused.status.success() && said.contains("the database lamplight on 127.0.0.1"), "{said}");
    assert!(!said.contains("s3cret-of-ada"), "{said}");
}

/// Nobody listens there.
const URL: &str = "postgres://ada:s3cret-of-ada@127.0.0.1:1/lamplight";
