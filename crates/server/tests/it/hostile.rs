//! Agents that misbehave: their own session ends with the reason, the server's memory stays where it was, and others work on.

use crate::support::{PATIENCE, Server, find_pid};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// What the server may need while an agent throws at it whatever it can; KiB, of a build without optimisation.
const MEMORY_KIB: u64 = 160 * 1024;

/// Runs a prompt to its end; the session as it is then.
async fn outcome(server: &Server, prompt: &str) -> Value {
    let id = server.create(prompt).await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    assert_eq!(
        server.post(&format!("/sessions/{id}/stop"), Value::Null).await.0,
        StatusCode::CONFLICT,
        "nothing of it runs"
    );
    view
}

async fn fails(server: &Server, prompt: &str, reason: &str) {
    let view = outcome(server, prompt).await;
    assert_eq!(view["phase"], "failed", "{view}");
    assert!(view["reason"].as_str().unwrap().contains(reason), "{view}");
}

fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn whatever_an_agent_does_ends_in_its_own_session() {
    let server = Server::start();
    let bystander = server.create("!stream 400 50\n!write kept.txt kept").await;
    server.until(&bystander, "agent_spoke", 1).await;

    fails(&server, "!bytes 1000000000", "16 MiB").await;
    fails(&server, "!garbage 300", "lines of its output in a row").await;
    fails(&server, "!ask-flood 10000", "more than 500 questions").await;
    fails(&server, "!say half a word\n!exit 3", "exit code 3").await;
    fails(&server, "!exit signal 9", "signal 9").await;
    fails(&server, "!error -32603 the model is on fire", "on fire").await;

    let harmless = outcome(
        &server,
        "!request fs/write_text_file\n!notify _vendor/news\n!strange-update confetti\n!garbage 3\n!say fine",
    )
    .await;
    assert_eq!(harmless["phase"], "done", "{harmless}");
    let stuck = outcome(&server, "!call 5 shell ls").await;
    assert_eq!(stuck["phase"], "stuck", "{stuck}");
    let stuck = outcome(&server, "!fail 5 shell").await;
    assert!(stuck["reason"].as_str().unwrap().contains("times in a row"), "{stuck}");

    let peak = peak_kib(&server);
    println!("the server's peak memory: {} MiB", peak / 1024);
    assert!(peak < MEMORY_KIB, "{peak} KiB");
    server.until(&bystander, "work_committed", 1).await;
    assert_eq!(server.view(&bystander).await["phase"], "done");
    server.clear().await;
}

#[tokio::test]
async fn stop_ends_what_runs_even_when_the_agent_does_not_listen() {
    let server = Server::start();
    let id = server.create("!ignore-cancel\n!child\n!run sleep 600").await;
    server.until(&id, "tool_called", 1).await;
    let began = now();
    let (status, _) = server.post(&format!("/sessions/{id}/stop"), json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    server.until(&id, "turn_ended", 1).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let names = processes_inside(&server, &id);
    assert!(!names.iter().any(|name| name == "agent" || name == "sleep"), "{names:?}");
    // What runs a little longer is our own commit.
    server.until(&id, "work_committed", 1).await;
    let only_the_guest = async {
        while processes_inside(&server, &id) != ["guest"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, only_the_guest).await.expect("nothing but the guest is left");
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!say again"})).await;
    server.until(&id, "work_committed", 2).await;
    assert_eq!(server.view(&id).await["phase"], "done");
    server.clear().await;
}

/// The names of all processes in the session's PID namespace.
fn processes_inside(server: &Server, id: &str) -> Vec<String> {
    let session = server.place.path("data/sandboxes").join(id);
    let records = std::fs::read_dir(session)
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("sandbox.json")).ok());
    let first: Vec<u64> =
        records.filter_map(|record| find_pid(&serde_json::from_slice(&record).unwrap())).collect();
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let inside = namespace(&first[0].to_string()).unwrap();
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ours = processes.filter(|pid| namespace(pid).is_some_and(|other| other == inside));
    ours.filter_map(|pid| Some(std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned()))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long stopping took")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
