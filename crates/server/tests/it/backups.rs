//! What is in a backup is enough to go on with every session.

use crate::support::{Place, Server};
use serde_json::{Value, json};
use std::fs;

/// What that branch has, one line a file, `name: content`.
fn written(place: &Place, branch: &str) -> Vec<String> {
    let names = place.git(&["diff", "--name-only", "main", branch]);
    names
        .lines()
        .map(|name| format!("{name}: {}", place.git(&["show", &format!("{branch}:{name}")])))
        .collect()
}

#[tokio::test]
async fn a_copy_that_is_made_while_work_goes_on_is_gone_on_with_elsewhere() {
    let server = Server::start();
    let id = server.create("!run echo one >> a.txt").await;
    server.until(&id, "work_committed", 1).await;
    let busy = server.create("!stream 2000 10").await;
    server.until(&busy, "agent_spoke", 20).await;
    let backup = server.place.path("backup");
    let told: Value =
        serde_json::from_str(&server.place.say(&["backup", "create", backup.to_str().unwrap(), "--json"]))
            .unwrap();
    assert_eq!(told["sessions"], 2, "{told}");
    assert!(told["entries"].as_u64().unwrap() > 20, "{told}");
    server.until(&busy, "agent_spoke", 21).await;
    let again = server.place.run(&["backup", "create", backup.to_str().unwrap()]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    // Whatever becomes of the sessions there.
    server.post(&format!("/sessions/{busy}/stop"), json!({})).await;
    server.until(&busy, "turn_ended", 1).await;
    server.clear().await;
    server.signal("TERM");
    let (_, place) = server.ended();
    let refused = place.run(&["backup", "restore", backup.to_str().unwrap()]);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("has a store already")
    );
    fs::rename(place.path("data"), place.path("lost")).unwrap();
    place.say(&["backup", "restore", backup.to_str().unwrap()]);

    let server = Server::start_in(place);
    server.post(&format!("/sessions/{busy}/stop"), json!({})).await;
    let (status, answer) =
        server.post(&format!("/sessions/{id}/prompts"), json!({ "text": "!write b.txt two" })).await;
    assert_eq!(status.as_u16(), 202, "{answer}");
    server.until(&id, "work_committed", 2).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    // An agent that has lost its memory is told what was said; this one does it once more, to the file as it was.
    assert_eq!(written(&server.place, &branch), ["a.txt: one\none", "b.txt: two"]);
    assert_eq!(server.place.git(&["rev-list", "--count", &format!("main..{branch}")]), "2");
    server.until(&busy, "turn_ended", 1).await;
    server.clear().await;
}

#[tokio::test]
async fn half_a_backup_is_none() {
    let place = Place::new();
    let nothing = place.run(&["backup", "create", place.path("backup").to_str().unwrap()]);
    assert!(!nothing.status.success());
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no store"), "{nothing:?}");
    assert!(!place.path("backup").exists());
    fs::create_dir(place.path("half")).unwrap();
    fs::write(place.path("half/lamplight.db"), "not a database").unwrap();
    let half = place.run(&["backup", "restore", place.path("half").to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&half.stderr).contains("is no backup"), "{half:?}");
    fs::write(
        place.path("half/backup.json"),
        json!({ "at": 1, "schema": 1, "sessions": 0, "entries": 0, "blobs": 0, "bytes": 0 }).to_string(),
    )
    .unwrap();
    let damaged = place.run(&["backup", "restore", place.path("half").to_str().unwrap()]);
    assert!(!damaged.status.success(), "{damaged:?}");
    assert!(!place.path("data/lamplight.db").exists());
}
