//! The sandboxes that there are now, and what they use.

use crate::support::{Place, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn sandboxes(server: &Server) -> Vec<Value> {
    let (status, list) = server.get("/sandboxes").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_runs_is_told_with_what_it_uses_and_is_stopped_from_there() {
    let server = Server::start();
    assert_eq!(sandboxes(&server).await, [] as [Value; 0]);
    let id = server.create("Hold 200 MB").await;
    server.until(&id, "work_committed", 1).await;
    let [one] = &sandboxes(&server).await[..] else { panic!("one sandbox runs") };
    assert_eq!(
        (&one["session"], &one["state"], &one["person"]),
        (&json!(id), &json!("running"), &json!("Ada"))
    );
    assert_eq!(one["repository"], server.place.repository().to_str().unwrap());
    for (used, limit) in [("memory_bytes", "memory_limit_bytes"), ("processes", "processes_limit")] {
        let (used, limit) = (one[used].as_u64().unwrap(), one[limit].as_u64().unwrap());
        assert!(0 < used && used < limit, "{one}");
    }
    assert!(one["cpu_ms"].is_u64() && one["age_ms"].as_u64().unwrap() > 0, "{one}");
    let said = server.place.say(&["sandboxes"]);
    assert!(said.contains("Hold 200 MB") && said.contains("processes"), "{said}");

    let said = server.place.say(&["sandboxes", "stop", &id]);
    assert!(said.contains("its files are kept"), "{said}");
    server.until(&id, "sandbox_destroyed", 1).await;
    assert_eq!(sandboxes(&server).await, [] as [Value; 0]);
    let (status, problem) = server.post(&format!("/sessions/{id}/release"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("no_sandbox")));
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "more"})).await;
    server.until(&id, "work_committed", 2).await;
    server.clear().await;
}

/// With gVisor, in `PATH` or where `LAMPLIGHT_TEST_RUNSC` says that it is: two turns, a pause, and a server that is killed in between.
#[tokio::test]
async fn a_session_is_done_on_a_kernel_of_its_own() {
    let Some(runsc) = runsc() else { return };
    let place = Place::with(&format!("[sandbox]\nlauncher = {runsc:?}\n"));
    let found = place.command(&["doctor"]).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    if !found.contains("a sandbox was made by runsc") {
        println!("skipped: no sandbox is made here: {found}");
        return;
    }
    let server = Server::start_in(place);
    let id = server.create("!run sudo id -u > who.txt; id -u >> who.txt; dmesg >> who.txt\n!say done").await;
    let events = server.until(&id, "work_committed", 1).await;
    let created = events.iter().find(|entry| entry["event"]["type"] == "sandbox_created").unwrap();
    let walls = created["event"]["enforced"].as_array().unwrap();
    let calls = walls.iter().find(|row| row["wall"] == "system_calls").unwrap();
    assert_eq!((&calls["strength"], &calls["by"]), (&json!("enforced"), &json!("runsc")), "{created}");
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    let who = server.place.git(&["show", &format!("{branch}:who.txt")]);
    assert!(who.starts_with("0\n1000\n") && who.contains("gVisor"), "{who}");

    let (status, view) = server.post(&format!("/sessions/{id}/pause"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{view}");
    server.until(&id, "sandbox_paused", 1).await;
    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    let (status, view) = server.post(&format!("/sessions/{id}/resume"), Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{view}");
    server
        .post(&format!("/sessions/{id}/prompts"), json!({"text": "!run echo more >> who.txt\n!say more"}))
        .await;
    let events = server.until(&id, "work_committed", 2).await;
    let created = events.iter().filter(|entry| entry["event"]["type"] == "sandbox_created");
    assert_eq!(created.count(), 1, "it is the same one");
    server.clear().await;
}

fn runsc() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: runsc is for root alone");
        return None;
    }
    let found = std::env::var("LAMPLIGHT_TEST_RUNSC").ok().or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let there =
            std::env::split_paths(&path).map(|folder| folder.join("runsc")).find(|file| file.is_file());
        there.map(|file| file.display().to_string())
    });
    if found.is_none() {
        println!("skipped: there is no runsc on this machine (Debian 13: apt-get install runsc)");
    }
    found
}
