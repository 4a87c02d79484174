//! An installation moves from SQLite to PostgreSQL and goes on there.

use crate::cluster::Cluster;
use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// All that is asked of it here, as it answers.
async fn answers(server: &Server, id: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in [
        "/sessions",
        "/sessions?q=needle",
        &format!("/sessions/{id}"),
        &format!("/sessions/{id}/log?after=0&limit=2000"),
        "/usage?by=session",
        "/repositories",
        "/audit",
    ] {
        let (status, answer) = server.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn an_installation_goes_on_with_postgresql_where_it_was_with_sqlite() {
    let server = Server::start();
    let id = server.create("!write one.txt one\n!say the needle is here").await;
    server.until(&id, "checkpoint_kept", 1).await;
    let other = server.create("!say another").await;
    server.until(&other, "checkpoint_kept", 1).await;
    server.post(&format!("/sessions/{other}/end"), Value::Null).await;
    server.until(&other, "sandbox_destroyed", 1).await;
    // A session that sleeps answers from its log, here and there.
    let cluster = Cluster::start();
    let (data, url) = (server.place.path("data"), cluster.url());
    let migrate = ["migrate", data.to_str().unwrap(), url.as_str(), "--json"];
    let refused = server.place.run(&migrate);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("another Lamplight server"), "{said}");
    let before = answers(&server, &id).await;
    server.signal("TERM");
    let mut place = server.ended().1;

    let store = std::fs::read(data.join("lamplight.db")).unwrap();
    let moved: Value = serde_json::from_str(&place.say(&migrate)).unwrap();
    let last = |answer: &Value| answer["last_seq"].as_u64().unwrap();
    let sessions = before[0]["items"].as_array().unwrap();
    assert_eq!(moved["sessions"], sessions.len());
    assert_eq!(moved["entries"].as_u64().unwrap(), sessions.iter().map(last).sum::<u64>());
    assert_eq!(std::fs::read(data.join("lamplight.db")).unwrap(), store, "the source is not touched");
    let again = place.run(&migrate);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("the database is not empty"), "{said}");

    place.cluster = Some(cluster);
    let server = Server::start_in(place);
    let after = answers(&server, &id).await;
    assert_eq!(after[1..6], before[1..6]);
    let ids = |answer: &Value| {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&after[0]), ids(&before[0]));
    assert_eq!(after[6], before[6], "the audit log");
    let text = json!({"text": "!write two.txt two"});
    let (status, answer) = server.post(&format!("/sessions/{id}/prompts"), text).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    server.until(&id, "checkpoint_kept", 2).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:two.txt")]), "two");
    server.create("!say new ones get numbers of their own").await;
    server.clear().await;
}

#[test]
fn what_cannot_be_moved_is_told() {
    let place = Place::new();
    let nothing = place.run(&["migrate", "nowhere", "postgres://ada@127.0.0.1:1/lamplight"]);
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(!nothing.status.success() && said.contains("there is no store on SQLite in"), "{said}");
    let unnamed = place.run(&["migrate", "nowhere"]);
    let said = String::from_utf8_lossy(&unnamed.stderr).into_owned();
    assert!(said.contains("name the database"), "{said}");
}
