//! Old logs go from the database into blobs, and nobody who asks for them notices.

use crate::support::{PATIENCE, Place, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// From one look at what is counted to the next.
const LOOK: Duration = Duration::from_millis(50);
/// Longer than logs are kept in the database, unless something else is configured.
const LONG_MS: i64 = 40 * 24 * 60 * 60 * 1000;

/// What the database has for that.
fn number(place: &Place, sql: &str) -> u64 {
    let database = rusqlite::Connection::open(place.path("data/lamplight.db")).unwrap();
    database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// All of it, to the byte.
async fn log(server: &Server, id: &str) -> String {
    let path = format!("/api/v1/sessions/{id}/log?after=0&limit=2000");
    let answer = server.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

async fn until_packed(server: &Server, entries: u64) {
    let counted = format!("\nlamplight_log_entries_packed_total {entries}\n");
    let packed = async {
        loop {
            let answer = server.request(Method::GET, "/metrics").send().await.unwrap();
            if answer.text().await.unwrap().contains(&counted) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, packed).await.expect("it is packed");
}

#[tokio::test]
async fn an_archived_session_is_packed_and_opens_is_found_and_goes_on_as_before() {
    let server = Server::start_in(Place::with("[limits]\nidle_ms = 2000\nidle_warning_ms = 0\n"));
    let id = server.create("!write one.txt one\n!say the needle is here").await;
    let other = server.create("!say not put aside").await;
    for session in [&id, &other] {
        server.until(session, "sandbox_destroyed", 1).await;
    }
    let (status, view) = server.post(&format!("/sessions/{id}/archive"), Value::Null).await;
    assert_eq!((status, &view["archived"]), (StatusCode::OK, &json!(true)), "{view}");
    let entries = view["last_seq"].as_u64().unwrap();
    let before = log(&server, &id).await;
    server.signal("TERM");
    let place = server.ended().1;
    let aged = format!("UPDATE summaries SET updated_at = updated_at - {LONG_MS}");
    let database = rusqlite::Connection::open(place.path("data/lamplight.db")).unwrap();
    assert_eq!(database.execute(&aged, []).unwrap(), 2);
    drop(database);

    let server = Server::start_in(place);
    until_packed(&server, entries).await;
    let of_it = |table: &str| {
        format!("SELECT count(*) FROM {table} WHERE log = (SELECT number FROM logs WHERE session = '{id}')")
    };
    assert_eq!(number(&server.place, &of_it("log_batches")), 0);
    assert_eq!(number(&server.place, &of_it("log_packs")), 1);
    assert_eq!(number(&server.place, "SELECT count(*) FROM log_packs"), 1, "the other is not put aside");
    assert_eq!(log(&server, &id).await, before);
    assert_eq!(server.until(&id, "session_archived", 1).await.len() as u64, entries);
    let (_, found) = server.get("/sessions?archived=true&q=needle").await;
    assert_eq!(found["items"][0]["id"], json!(id), "{found}");

    let prompt = json!({"text": "!write two.txt two"});
    let (status, answer) = server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    server.until(&id, "work_committed", 2).await;
    let view = server.view(&id).await;
    assert_eq!(view["archived"], json!(false), "{view}");
    let branch = view["branch"].as_str().unwrap();
    for (name, content) in [("one.txt", "one"), ("two.txt", "two")] {
        assert_eq!(server.place.git(&["show", &format!("{branch}:{name}")]), content);
    }
    let items =
        |log: &str| serde_json::from_str::<Value>(log).unwrap()["entries"].as_array().unwrap().clone();
    let (before, after) = (items(&before), items(&log(&server, &id).await));
    assert!(after.len() > before.len());
    assert_eq!(after[..before.len()], before);
    server.clear().await;
}
