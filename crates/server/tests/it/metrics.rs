//! What a Prometheus server is told, and who may be sent work.

use crate::support::Server;
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
