//! `GET /sessions/{id}/events`, `GET /events`

use crate::support::Server;
use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_reader_gets_the_log_as_it_is_from_where_it_was() {
    let server = Server::start();
    let id = server.create("!say hello\n!write a.txt one").await;
    let entries = server.until(&id, "work_committed", 1).await;
    let seqs: Vec<u64> = entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=u64::try_from(seqs.len()).unwrap()).collect::<Vec<_>>());
    let (_, log) = server.get(&format!("/sessions/{id}/log?limit={}", entries.len())).await;
    assert_eq!(log["entries"].as_array().unwrap(), &entries, "the log and the stream are the same");

    let mut late = server.socket(&format!("/sessions/{id}/events?resume={}", entries.len() - 2)).await;
    assert_eq!(late.entry().await, entries[entries.len() - 2]);
    assert_eq!(late.entry().await, entries[entries.len() - 1]);
    let live = late.control("live").await;
    assert!(live["last_seq"].as_u64() >= seqs.last().copied(), "{live}");

    let mut asking = server.socket(&format!("/sessions/{id}/events")).await;
    asking.0.send(Message::text(r#"{"resume":3}"#)).await.unwrap();
    assert_eq!(asking.entry().await, entries[3]);
    asking.0.send(Message::text(r#"{"ack":4}"#)).await.unwrap();
    asking.0.send(Message::text(r#"{"resume":0}"#)).await.unwrap();
    while asking.entry().await["seq"] != 1 {}
    assert_eq!(asking.entry().await, entries[1]);

    let (_, before) = server.get(&format!("/sessions/{id}/log?before=5&limit=2")).await;
    assert_eq!(before["entries"], json!([entries[2], entries[3]]));
    server.clear().await;
}

#[tokio::test]
async fn a_change_of_any_session_is_told() {
    let server = Server::start();
    let mut changes = server.socket("/events").await;
    let id = server.create("!write a.txt one").await;
    loop {
        let summary = changes.frame().await.expect("the stream goes on");
        assert_eq!(summary["id"], json!(id));
        if summary["phase"] == "done" {
            assert_eq!((&summary["turn"], &summary["steps"]), (&json!(1), &json!(1)));
            break;
        }
    }
    server.clear().await;
}
