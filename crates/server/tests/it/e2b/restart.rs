//! Sandboxes live on while their server does not.

use super::raw::{Cloud, Sandbox};
use super::{cloud, until};
use crate::support::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn start_again(cloud: Cloud) -> Cloud {
    let (_, place) = cloud.server.ended();
    Cloud::of(Server::start_in(place))
}

#[tokio::test]
async fn a_killed_server_finds_its_sandboxes_again() {
    let cloud = cloud();
    let kept =
        cloud.create(json!({"templateID": "base", "metadata": {"a": "b"}, "envVars": {"GIVEN": "x"}})).await;
    let paused = cloud.create(json!({"templateID": "base"})).await;
    let late = cloud.create(json!({"templateID": "base", "timeout": 3})).await;
    cloud.write(&kept, "/home/user/kept", b"here".to_vec()).await;
    let loops = "n=0; while true; do n=$((n+1)); echo $n > /tmp/n; echo line; sleep 0.02; done";
    let stream = cloud.start(&kept, loops).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let pause = format!("/sandboxes/{}/pause", paused.id);
    assert_eq!(cloud.control(Method::POST, &pause, Value::Null).await.0, StatusCode::NO_CONTENT);
    cloud.server.signal("KILL");
    drop(stream);
    let cloud = start_again(cloud);

    let (status, info) = cloud.control(Method::GET, &format!("/sandboxes/{}", kept.id), Value::Null).await;
    assert_eq!(
        (status, &info["state"], &info["metadata"]),
        (StatusCode::OK, &json!("running"), &json!({"a": "b"}))
    );
    assert_eq!(info["envdAccessToken"], json!(kept.token), "the same lets one in");
    assert_eq!(cloud.read(&kept, "kept").await, (StatusCode::OK, "here".into()));
    assert_eq!(cloud.say(&kept, "echo $GIVEN").await.unwrap(), "x\n");
    // What nobody followed meanwhile goes on, and is found.
    let number = async |cloud: &Cloud| cloud.read(&kept, "/tmp/n").await.1.trim().parse::<u64>().unwrap_or(0);
    let before = number(&cloud).await;
    until("the loop going on", async || number(&cloud).await > before).await;
    let list = cloud.inside(&kept, Method::POST, "/process.Process/List").json(&json!({}));
    until("its process", async || {
        let list = list.try_clone().unwrap().send().await.unwrap().json::<Value>().await.unwrap();
        list["processes"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["config"]["args"][1] == loops))
    })
    .await;
    let connect = format!("/v2/sandboxes/{}/connect", paused.id);
    let (status, _) = cloud.control(Method::POST, &connect, json!({"timeout": 60})).await;
    assert_eq!(status, StatusCode::CREATED, "it was paused");
    assert_eq!(cloud.say(&paused, "echo on").await.unwrap(), "on\n");
    until("the end of one whose time was over", async || {
        cloud.health(&late).await == StatusCode::BAD_GATEWAY
    })
    .await;
    for sandbox in [&kept, &paused] {
        assert_eq!(cloud.kill(sandbox).await, StatusCode::NO_CONTENT);
    }
    cloud.nothing_is_left().await;
}

#[tokio::test]
async fn a_server_that_stops_and_one_without_e2b_keep_what_is_lent() {
    let cloud = cloud();
    let sandbox = cloud.create(json!({"templateID": "base"})).await;
    cloud.server.signal("TERM");
    let (code, place) = cloud.server.ended();
    assert_eq!(code, Some(0));
    let path = place.path("lamplight.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[e2b]\nenabled = true", "")).unwrap();
    let without = Cloud::of(Server::start_in(place));
    let (_, list) = without.server.get("/sandboxes").await;
    assert_eq!(list["items"][0]["lent"]["template"], "base", "{list}");
    let not_served = without.server.request(Method::GET, "/v2/sandboxes").send().await.unwrap();
    assert!(!not_served.text().await.unwrap().contains("sandboxID"));
    let said = without.server.place.say(&["sandboxes"]);
    assert!(said.contains("lent to a program of Ada"), "{said}");
    let said = without.server.place.say(&["sandboxes", "stop", &sandbox.id]);
    assert!(said.contains("taken back"), "{said}");
    without.nothing_is_left().await;
}

#[tokio::test]
async fn a_sandbox_that_dies_is_gone() {
    let cloud = cloud();
    let sandbox: Sandbox = cloud.create(json!({"templateID": "base"})).await;
    let stream = cloud.start(&sandbox, "sleep 600").await;
    let records = crate::support::sandbox_records(&cloud.server.place.path("data/sandboxes"));
    let record: Value = serde_json::from_slice(&std::fs::read(&records[0]).unwrap()).unwrap();
    let pid = crate::support::find_pid(&record).unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    assert!(stream.bytes().await.is_err(), "the connection breaks, and says no end");
    until("its end", async || cloud.health(&sandbox).await == StatusCode::BAD_GATEWAY).await;
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NOT_FOUND);
    cloud.nothing_is_left().await;
}
