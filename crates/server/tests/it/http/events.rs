//! `GET /sessions/{id}/events`, `GET /events`

use crate::support::Server;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
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

/// As a power of two: most bytes that come over one connection, its handshake among them. Often that is the middle of an entry.
const MOST: u32 = 14;

/// While the session goes on, and behind it: whatever is cut, the reader has every entry once, as it is in the log.
#[tokio::test]
async fn whatever_is_cut_a_reader_that_comes_back_has_the_log_as_it_is() {
    let seed = std::env::var("LAMPLIGHT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("LAMPLIGHT_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let server = Server::start();
    let id = server.create("!think first\n!stream 600 10\n!write a.txt one").await;
    let (mut entries, mut cuts) = (Vec::<Value>::new(), 0);
    let go_on =
        |entries: &[Value]| entries.last().is_none_or(|last| last["event"]["type"] != "checkpoint_kept");
    while go_on(&entries) {
        cuts += 1;
        assert!(cuts < 10_000, "{} entries only", entries.len());
        let stream = TcpStream::connect(server.authority()).await.unwrap();
        let (reader, writer) = stream.into_split();
        let most = 1_u64 << random.u32(4..MOST);
        let stream = tokio::io::join(reader.take(random.u64(1..most)), writer);
        let url = format!("ws://{}/api/v1/sessions/{id}/events?resume={}", server.authority(), entries.len());
        // Also in the middle of the handshake.
        let Ok((mut socket, _)) = client_async(url, stream).await else { continue };
        while go_on(&entries)
            && let Some(Ok(Message::Text(text))) = socket.next().await
        {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["control"].is_null() {
                entries.push(frame);
            }
        }
    }
    assert!(cuts > 20, "{cuts} cuts");
    println!("{cuts} cuts, {} entries", entries.len());
    let (_, log) = server.get(&format!("/sessions/{id}/log?limit=2000")).await;
    assert_eq!(log["entries"].as_array().unwrap()[..entries.len()], entries);
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
