//! Waiting for a sandbox, from the outside.

use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn place() -> Place {
    let mut place = Place::new();
    place.environment.push(("LAMPLIGHT_QUEUE_SANDBOXES", "1"));
    place
}

async fn queue(server: &Server) -> Vec<(String, u64)> {
    let (status, list) = server.get("/queue").await;
    assert_eq!(status, StatusCode::OK);
    // There is no other server.
    assert_eq!((&list["servers"], &list["not_answering"]), (&json!([]), &json!([])), "{list}");
    let entry = |item: &Value| {
        assert_eq!((&item["status"], &item["server"]), (&json!("queued"), &Value::Null), "{item}");
        assert!(item["estimated_wait_seconds"].as_u64().unwrap() > 0, "{item}");
        (item["id"].as_str().unwrap().to_owned(), item["queue_position"].as_u64().unwrap())
    };
    list["items"].as_array().unwrap().iter().map(entry).collect()
}

fn count(log: &[Value], kind: &str) -> usize {
    log.iter().filter(|entry| entry["event"]["type"] == kind).count()
}

#[tokio::test]
async fn what_finds_no_place_waits_across_a_restart_and_comes_in_by_its_order() {
    let server = Server::start_in(place());
    let busy = server.create("!hang").await;
    server.until(&busy, "turn_started", 1).await;
    let second = server.create("!say second").await;
    server.until(&second, "sandbox_queued", 1).await;
    let third = server.create("!say third").await;
    server.until(&third, "sandbox_queued", 1).await;
    assert_eq!(queue(&server).await, [(second.clone(), 1), (third.clone(), 2)]);
    let view = server.view(&second).await;
    assert_eq!((&view["phase"], &view["queue_position"]), (&json!("queued"), &json!(1)));
    assert_eq!(view["reason"], "it waits for a free sandbox: the only sandbox is in use");
    let (_, list) = server.get("/sessions?phase=queued").await;
    let positions: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|item| &item["queue_position"]).collect();
    assert_eq!(positions, [2, 1], "the newest first");

    let (status, _) = server.post(&format!("/sessions/{third}/priority"), json!({"priority": 11})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let said = server.place.say(&["queue", &third, "--priority", "1"]);
    assert!(
        said.trim_start().starts_with("1  ") && said.contains("third") && said.contains("priority +1"),
        "{said}"
    );

    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    server.view(&second).await;
    assert_eq!(queue(&server).await, [(third.clone(), 1), (second.clone(), 2)]);
    server.post(&format!("/sessions/{busy}/stop"), Value::Null).await;
    // Its sandbox has nothing to do then, and is given back.
    let log = server.until(&third, "work_committed", 1).await;
    assert_eq!(count(&log, "sandbox_queued"), 1, "{log:?}");
    let log = server.until(&second, "work_committed", 1).await;
    assert_eq!(count(&log, "sandbox_queued"), 1, "{log:?}");
    let begun = |log: &[Value]| {
        log.iter().find(|entry| entry["event"]["type"] == "turn_started").unwrap()["at"].as_u64().unwrap()
    };
    assert!(begun(&log) > begun(&server.until(&third, "turn_started", 1).await));
    assert_eq!(queue(&server).await, []);
    server.clear().await;
}

#[tokio::test]
async fn what_is_taken_back_waits_no_more() {
    let server = Server::start_in(place());
    let busy = server.create("!hang").await;
    server.until(&busy, "turn_started", 1).await;
    let second = server.create("!say second").await;
    server.until(&second, "sandbox_queued", 1).await;
    server.place.say(&["stop", &second]);
    assert_eq!(queue(&server).await, []);
    let view = server.view(&second).await;
    assert_eq!((&view["phase"], &view["queue_position"]), (&json!("paused"), &Value::Null));
    assert_eq!(server.place.say(&["queue"]), "Nothing waits for a sandbox.\nTaken: 1 of 1 sandbox place.\n");
    server.clear().await;
}

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn the_memory_that_sandboxes_may_use_together_is_counted() {
    let server = Server::start_in(Place::with("[queue]\nmemory_mb = 1024\nsandboxes_per_person = 0\n"));
    let ask = async |prompt: &str, mib: u64| {
        let repository = server.place.repository();
        let sandbox = json!({"memory_bytes": mib * MIB});
        server
            .post("/sessions", json!({"repository": repository, "prompt": prompt, "sandbox": sandbox}))
            .await
    };
    let (status, problem) = ask("!say never", 1025).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("memory_beyond_queue")));
    let said = "a sandbox of this session may use 1.0 GiB, and all together may use 1 GiB";
    assert!(problem["detail"].as_str().unwrap().starts_with(said), "{problem}");

    let made = async |prompt: &str, mib: u64| {
        let (status, view) = ask(prompt, mib).await;
        assert_eq!(status, StatusCode::CREATED, "{view}");
        view["id"].as_str().unwrap().to_owned()
    };
    let busy = made("!hang", 600).await;
    server.until(&busy, "turn_started", 1).await;
    let large = made("!say large", 700).await;
    server.until(&large, "sandbox_queued", 1).await;
    // There would be room for it, but the large one was there before.
    let small = made("!say small", 300).await;
    server.until(&small, "sandbox_queued", 1).await;
    assert_eq!(queue(&server).await, [(large.clone(), 1), (small.clone(), 2)]);
    let view = server.view(&large).await;
    let why = "it waits for a free sandbox: it needs 700 MiB of the 1 GiB of memory, and not so much is free";
    assert_eq!(view["reason"], why);
    let (_, list) = server.get("/queue").await;
    let memory = (600 * MIB, 1024 * MIB);
    let places =
        json!({"sandboxes": 1, "memory_bytes": memory.0, "max_memory_bytes": memory.1, "has_place": false});
    assert_eq!(list["places"], places);
    let said = server.place.say(&["queue"]);
    assert!(said.contains("Taken: 1 sandbox place · memory limits of 600 MiB together, of 1 GiB."), "{said}");
    let metrics =
        server.request(reqwest::Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(&format!("lamplight_places_memory_bytes {}\n", 600 * MIB)), "{metrics}");

    server.post(&format!("/sessions/{busy}/stop"), Value::Null).await;
    for waiting in [&large, &small] {
        server.until(waiting, "turn_ended", 1).await;
    }
    assert_eq!(queue(&server).await, []);
    server.clear().await;
}

#[tokio::test]
async fn of_a_long_line_the_rest_is_counted() {
    let server = Server::start_in(place());
    let busy = server.create("!hang").await;
    server.until(&busy, "turn_started", 1).await;
    let mut last = String::new();
    for _ in 0..203 {
        last = server.create("!say something").await;
    }
    server.until(&last, "sandbox_queued", 1).await;
    let (_, list) = server.get("/queue").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["waiting"]), (200, &json!(203)));
    assert_eq!(server.view(&last).await["queue_position"], 203, "it is told of each");
    let said = server.place.say(&["queue"]);
    assert!(said.contains("\n     and 3 more\n"), "{said}");
}
