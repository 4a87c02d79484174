//! How the server goes, and comes back.

use crate::support::Server;

#[tokio::test]
async fn readers_are_told_where_to_come_back_and_the_turn_goes_on() {
    let server = Server::start();
    let id = server.create("!say begun\n!wait 1500\n!write a.txt one").await;
    let begun = server.until(&id, "agent_spoke", 1).await;
    let mut reader = server.socket(&format!("/sessions/{id}/events?resume={}", begun.len())).await;
    let mut changes = server.socket("/events").await;
    reader.control("live").await;
    server.signal("TERM");
    let farewell = reader.control("resume").await;
    assert_eq!(farewell["reason"], "going_away");
    assert_eq!(changes.control("resume").await["reason"], "going_away");
    let (code, place) = server.ended();
    assert_eq!(code, Some(0));

    let server = Server::start_in(place);
    let mut reader = server.socket(&format!("/sessions/{id}/events?resume={}", farewell["seq"])).await;
    let next = reader.entry().await;
    assert_eq!(next["seq"].as_u64(), farewell["seq"].as_u64().map(|seq| seq + 1));
    let entries = server.until(&id, "work_committed", 1).await;
    assert_eq!(
        entries.iter().filter(|entry| entry["event"]["type"] == "agent_spoke").count(),
        1,
        "{entries:?}"
    );
    assert_eq!(entries.iter().filter(|entry| entry["event"]["type"] == "turn_ended").count(), 1);
    server.clear().await;
}
