//! What a Prometheus server is told, and who may be sent work.

use crate::support::{Place, Server};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The samples, by name and labels.
async fn samples(server: &Server) -> HashMap<String, f64> {
    let answer = server.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

#[tokio::test]
async fn what_happens_is_counted_and_failures_by_whose_fault_they_are() {
    let server = Server::start();
    let before = samples(&server).await;
    assert_eq!(before["lamplight_sessions_created_total"], 0.0);

    let id = server.create("!write a.txt one").await;
    let log = server.until(&id, "work_committed", 1).await;
    let broken = server.create("!exit 3").await;
    server.until(&broken, "turn_ended", 1).await;

    let after = samples(&server).await;
    assert_eq!(after["lamplight_sessions_created_total"], 2.0);
    assert_eq!(after["lamplight_sandboxes_created_total"], 2.0);
    assert_eq!(after["lamplight_sandbox_create_seconds_count"], 2.0);
    assert_eq!(after[r#"lamplight_turns_ended_total{outcome="completed",side="none"}"#], 1.0);
    assert_eq!(after[r#"lamplight_turns_ended_total{outcome="failed",side="agent"}"#], 1.0);
    assert_eq!(after[r#"lamplight_sessions{phase="done"}"#], 1.0);
    assert!(after["lamplight_log_entries_total"] > log.len() as f64);
    assert!(after["lamplight_log_append_seconds_count"] > 0.0);
    assert_eq!(after[r#"lamplight_http_requests_total{method="POST",status="201"}"#], 2.0);
    server.clear().await;
}

#[tokio::test]
async fn a_server_is_ready_until_it_is_to_stop() {
    let server = Server::start();
    let ask = async || server.request(reqwest::Method::GET, "/readyz").send().await;
    let answer = ask().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "ready\n"));
    assert_eq!(server.place.say(&["ready"]), "ready\n");

    server.signal("TERM");
    let (code, place) = server.ended();
    assert_eq!(code, Some(0));
    let gone = place.run(&["ready"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no Lamplight server answers"), "{gone:?}");
}

#[tokio::test]
async fn failures_are_in_the_servers_log_with_whose_fault_they_are() {
    let mut place = Place::new();
    place.environment.push(("LAMPLIGHT_LOG_FORMAT", "json"));
    let server = Server::start_in(place);
    // Where their folders should be is something else, so that no sandbox can be made.
    let (folder, aside) = (server.place.path("data/sandboxes"), server.place.path("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "").unwrap();
    let machine = server.create("!say hello").await;
    server.until(&machine, "sandbox_failed", 1).await;
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    let agent = server.create("!exit 3").await;
    server.until(&agent, "turn_ended", 1).await;

    let log = std::fs::read_to_string(server.place.path("server.log")).unwrap();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = |session: &str| {
        let of_session = |line: &&Value| line["fields"]["session.id"] == session;
        let mut failures =
            lines.iter().filter(of_session).filter(|line| !line["fields"]["error.side"].is_null());
        let first = failures.next().unwrap_or_else(|| panic!("nothing of {session} in:\n{log}"));
        (
            first["level"].clone(),
            first["fields"]["error.side"].clone(),
            first["fields"].get("error").is_some(),
        )
    };
    assert_eq!(told(&machine), (json!("WARN"), json!("infrastructure"), true));
    assert_eq!(
        told(&agent),
        (json!("INFO"), json!("agent"), false),
        "its words are in the session's log alone"
    );
    server.clear().await;
}

/// The code in memory, in KiB.
fn code_of(pid: u32) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut lines = maps.lines();
    let _ = lines.find(|line| line.contains(" r-xp ") && line.ends_with("/lamplight"));
    let resident = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    resident.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[tokio::test]
async fn code_that_only_the_start_needed_is_not_kept_in_memory() {
    let server = Server::start();
    let at_start = code_of(server.pid());
    let given_back = async {
        while code_of(server.pid()) > at_start / 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_back).await.expect("half of it was for the start");
    let id = server.create("!write a.txt one").await;
    server.until(&id, "work_committed", 1).await;
    server.clear().await;
}
