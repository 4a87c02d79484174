//! A server that has no space, or no file descriptors, left: what cannot be done is refused in words, nothing that was accepted is lost,
//! and all goes on by itself.

use crate::small::Small;
use crate::support::{PATIENCE, Place, Server};
use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;
use tokio::time::Instant;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(50);
/// Who is refused is told so in this time, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);
/// A turn that is not over before somebody has done something meanwhile.
const LONG: &str = "!think first\n!stream 100 100\n!write one.txt one";

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

async fn ready(server: &Server) -> (u16, String) {
    let answer = server.request(Method::GET, "/readyz").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn count(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["event"]["type"] == kind).count()
}

/// Connections on which nobody ever says anything.
fn flood(server: &Server, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(server.authority()).unwrap()).collect()
}

/// A server whose data directory is on this disk.
fn on(small: &Small) -> Server {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let (usual, here) = (place.path("data"), small.path().join("data"));
    std::fs::create_dir(&here).unwrap();
    let config = config.replace(usual.to_str().unwrap(), here.to_str().unwrap());
    std::fs::write(place.path("lamplight.toml"), config).unwrap();
    Server::start_in(place)
}

/// Sends prompts until one is refused; how many were accepted before.
async fn prompts_until_refused(server: &Server, id: &str) -> usize {
    let path = format!("/sessions/{id}/prompts");
    let long = "x".repeat(100_000);
    for accepted in 0..40 {
        let text = format!("!run true {accepted} {long}");
        let asked = Instant::now();
        let (status, problem) = server.post(&path, json!({ "text": text })).await;
        if status != StatusCode::ACCEPTED {
            assert_eq!((status.as_u16(), &problem["code"]), (507, &json!("storage_full")), "{problem}");
            assert!(problem["what_to_do"].as_str().unwrap().contains("goes on by itself"), "{problem}");
            assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
            return accepted;
        }
    }
    panic!("the disk never became full");
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_and_costs_nothing() {
    let Some(small) = Small::mount("256m") else { return };
    let server = on(&small);
    let id = server.create("!say begun\n!hang").await;
    server.until(&id, "agent_spoke", 1).await;
    until("it is ready", async || ready(&server).await == (200, "ready\n".to_owned())).await;
    let mut reader = server.socket(&format!("/sessions/{id}/events?resume=0")).await;
    reader.control("live").await;

    small.fill(0);
    let accepted = prompts_until_refused(&server, &id).await;
    let full = (503, "the disk with the data directory is full\n".to_owned());
    assert_eq!(ready(&server).await, full);
    let asked = json!({"repository": server.place.repository(), "prompt": "x".repeat(100_000)});
    let (status, problem) = server.post("/sessions", asked).await;
    assert_eq!((status.as_u16(), &problem["code"]), (507, &json!("storage_full")), "{problem}");
    // Who reads goes on reading, and hears of all that was accepted.
    let view = server.view(&id).await;
    assert_eq!(view["queued"].as_array().unwrap().len(), accepted, "{view}");
    let (status, log) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    assert_eq!((status, &log["last_seq"]), (StatusCode::OK, &view["last_seq"]));
    while accepted > 0 && reader.entry().await["seq"] != view["last_seq"] {}
    let before = view["last_seq"].as_u64().unwrap() - 1;
    let mut late = server.socket(&format!("/sessions/{id}/events?resume={before}")).await;
    assert_eq!(late.entry().await["seq"], view["last_seq"]);

    small.give_back();
    assert_eq!(ready(&server).await, (200, "ready\n".to_owned()));
    server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    let last = json!({"text": "!write last.txt last"});
    let (status, answer) = server.post(&format!("/sessions/{id}/prompts"), last).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let entries = server.until(&id, "turn_ended", accepted + 2).await;
    assert_eq!(count(&entries, "prompt_queued"), accepted + 2, "what was refused is nowhere");
    assert_eq!((count(&entries, "turn_started"), count(&entries, "sandbox_lost")), (accepted + 2, 0));
    until("its work is committed", async || !server.view(&id).await["commits"][0].is_null()).await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:last.txt")]), "last");
    server.clear().await;
}

/// The session has something to write itself, and waits for space with its agent: who asks it for something does not wait with it.
#[tokio::test]
async fn in_the_middle_of_a_turn_a_full_disk_keeps_nobody_waiting() {
    let Some(small) = Small::mount("256m") else { return };
    let server = on(&small);
    let id = server.create(LONG).await;
    server.until(&id, "agent_thought", 1).await;
    small.fill(0);
    let accepted = prompts_until_refused(&server, &id).await;
    let asked = Instant::now();
    let view = server.view(&id).await;
    assert!(asked.elapsed() < SOON, "a view took {:?}", asked.elapsed());
    small.give_back();
    let entries = server.until(&id, "turn_ended", accepted + 1).await;
    assert_eq!(view["queued"].as_array().unwrap().len(), accepted, "{view}");
    assert_eq!(count(&entries, "prompt_queued"), accepted + 1, "what was refused is nowhere");
    assert_eq!((count(&entries, "turn_started"), count(&entries, "sandbox_lost")), (accepted + 1, 0));
    let spoke = entries.iter().map(|entry| &entry["event"]).filter(|event| event["type"] == "agent_spoke");
    let said: String = spoke.filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(said.matches("word-").count(), 100, "every word once: {said}");
    server.clear().await;
}

#[tokio::test]
async fn without_file_descriptors_nothing_is_lost_and_it_goes_on_by_itself() {
    let server = Server::start();
    let id = server.create(LONG).await;
    let mut reader = server.socket(&format!("/sessions/{id}/events?resume=0")).await;
    while reader.entry().await["event"]["type"] != "agent_thought" {}
    // On a connection that stays.
    server.view(&id).await;
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let few = Rlimit { current: Some(open as u64), maximum: getrlimit(Resource::Nofile).maximum };
    let usual = prlimit(pid, Resource::Nofile, few).unwrap();
    let flood = flood(&server, 100);
    until("it is in the server's log", async || {
        let log = std::fs::read_to_string(server.place.path("server.log")).unwrap();
        log.contains("no connection can be accepted")
    })
    .await;
    let none = (503, "no file descriptors are left\n".to_owned());
    until("it is told", async || ready(&server).await == none).await;
    let path = format!("/sessions/{id}/prompts");
    let (status, answer) = server.post(&path, json!({"text": "!write two.txt two"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    while reader.entry().await["event"]["type"] != "prompt_queued" {}

    prlimit(pid, Resource::Nofile, usual).unwrap();
    drop(flood);
    until("it is ready", async || ready(&server).await == (200, "ready\n".to_owned())).await;
    let entries = server.until(&id, "work_committed", 2).await;
    for (place, entry) in (1..).zip(&entries) {
        assert_eq!(entry["seq"], place, "seq is contiguous");
    }
    assert_eq!((count(&entries, "turn_started"), count(&entries, "sandbox_lost")), (2, 0), "{entries:?}");
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    for (file, content) in [("one.txt", "one"), ("two.txt", "two")] {
        assert_eq!(server.place.git(&["show", &format!("{branch}:{file}")]), content);
    }
    server.clear().await;
}

/// Whoever opens connections without end leaves enough for what works.
#[tokio::test]
async fn a_flood_of_connections_leaves_file_descriptors_for_the_work() {
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(512), ..usual }).unwrap();
    let server = Server::start();
    setrlimit(Resource::Nofile, usual).unwrap();
    // The connection that this client goes on with.
    ready(&server).await;
    let flood = flood(&server, 350);
    let id = server.create("!write one.txt one").await;
    until("the work is done", async || server.view(&id).await["phase"] == "done").await;
    let log = std::fs::read_to_string(server.place.path("server.log")).unwrap();
    assert!(!log.contains("no connection can be accepted"), "{log}");
    drop(flood);
    server.clear().await;
}
