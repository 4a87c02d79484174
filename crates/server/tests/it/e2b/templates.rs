//! Templates and snapshots, as no SDK would ask for them: after a crash, by somebody else, and until nothing is left.

use super::raw::{Cloud, Sandbox};
use super::{Server, cloud};
use crate::people::Door;
use crate::support::{PATIENCE, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

impl Cloud {
    async fn snapshot(&self, sandbox: &Sandbox, body: Value) -> String {
        let path = format!("/sandboxes/{}/snapshots", sandbox.id);
        let (status, made) = self.control(Method::POST, &path, body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["snapshotID"].as_str().unwrap().to_owned()
    }

    /// Its template, and its build.
    pub(super) async fn new_build(&self, name: &str) -> (String, String) {
        let (status, made) = self.control(Method::POST, "/v3/templates", json!({"name": name})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{made}");
        let text = |of: &str| made[of].as_str().unwrap().to_owned();
        (text("templateID"), text("buildID"))
    }

    pub(super) async fn build(&self, (template, build): &(String, String), recipe: Value) -> StatusCode {
        let path = format!("/v2/templates/{template}/builds/{build}");
        self.control(Method::POST, &path, recipe).await.0
    }

    pub(super) async fn built(&self, (template, build): &(String, String)) -> Value {
        let begun = Instant::now();
        loop {
            let path = format!("/templates/{template}/builds/{build}/status");
            let (_, info) = self.control(Method::GET, &path, Value::Null).await;
            if info["status"] != "building" {
                return info;
            }
            assert!(begun.elapsed() < PATIENCE, "{info}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sessions and layers on the disk.
    fn kept(&self) -> usize {
        let folder = self.server.place.path("data/sandboxes");
        let entries = |folder: &std::path::Path| {
            std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.path().is_dir())
                .count()
        };
        let ids = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let ids = ids.filter(|entry| entry.file_name().len() == 26);
        ids.count() + entries(&folder.join("layers"))
    }
}

fn base() -> Value {
    json!({"templateID": "base"})
}

#[tokio::test]
async fn snapshots_and_layers_outlive_a_killed_server_and_go_when_they_are_deleted() {
    let cloud = cloud();
    let sandbox = cloud.create(base()).await;
    cloud.write(&sandbox, "kept", b"by the first".to_vec()).await;
    let snapshot = cloud.snapshot(&sandbox, json!({})).await;
    let recipe = |command: &str| json!({"steps": [{"type": "RUN", "args": [command]}]});
    let ready = cloud.new_build("ready").await;
    // Asked twice at once, as by a client that asks again: it is built once.
    let start = || cloud.build(&ready, recipe("date +%s%N > when"));
    let (one, other) = tokio::join!(start(), start());
    let mut both = [one, other];
    both.sort();
    assert_eq!(both, [StatusCode::ACCEPTED, StatusCode::CONFLICT]);
    assert_eq!(cloud.built(&ready).await["status"], "ready");
    assert_eq!(cloud.build(&ready, recipe("true")).await, StatusCode::CONFLICT, "it was built once");
    let broken = cloud.new_build("broken").await;
    assert_eq!(cloud.build(&broken, recipe("sleep 600")).await, StatusCode::ACCEPTED);
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
    cloud.server.signal("KILL");
    let (_, place) = cloud.server.ended();
    let cloud = Cloud::of(Server::start_in(place));

    let info = cloud.built(&broken).await;
    assert_eq!(info["status"], "error");
    let why = info["reason"]["message"].as_str().unwrap();
    assert!(why.contains("the server was restarted"), "{info}");
    let one = cloud.create(json!({"templateID": snapshot})).await;
    assert_eq!(cloud.read(&one, "kept").await, (StatusCode::OK, "by the first".into()));
    let (two, again) = (cloud.create(json!({"templateID": "ready"})).await, cloud.new_build("again").await);
    let when = cloud.read(&two, "when").await;
    assert_eq!(cloud.build(&again, recipe("date +%s%N > when")).await, StatusCode::ACCEPTED);
    assert_eq!(cloud.built(&again).await["status"], "ready");
    let three = cloud.create(json!({"templateID": "again"})).await;
    assert_eq!(cloud.read(&three, "when").await, when, "the layer of before was used");

    let deleted =
        async |name: &str| cloud.control(Method::DELETE, &format!("/templates/{name}"), Value::Null).await.0;
    for name in [snapshot.replace(':', "%3A").as_str(), "ready", "again", "broken"] {
        assert_eq!(deleted(name).await, StatusCode::NO_CONTENT, "{name}");
        assert_eq!(deleted(name).await, StatusCode::NOT_FOUND, "{name}");
    }
    assert_eq!(cloud.read(&three, "when").await, when, "it has its files still");
    for sandbox in [&one, &two, &three] {
        assert_eq!(cloud.kill(sandbox).await, StatusCode::NO_CONTENT);
    }
    cloud.nothing_is_left().await;
    let begun = Instant::now();
    while cloud.kept() > 0 {
        assert!(begun.elapsed() < PATIENCE, "{} folders are left", cloud.kept());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// There is one place, and it is free again.
#[tokio::test]
async fn one_that_cannot_start_again_from_its_files_stays_away_and_takes_no_place() {
    let cloud = Cloud::of(Server::start_in(crate::support::Place::with(
        "[e2b]\nenabled = true\n[queue]\nsandboxes = 1\nsandboxes_per_person = 0\n",
    )));
    let build = cloud.new_build("guarded").await;
    let recipe = json!({"startCmd": "test ! -e ~/broken && sleep 600", "readyCmd": "test ! -e ~/broken"});
    assert_eq!(cloud.build(&build, recipe).await, StatusCode::ACCEPTED);
    assert_eq!(cloud.built(&build).await["status"], "ready");
    let sandbox = cloud.create(json!({"templateID": "guarded"})).await;
    cloud.say(&sandbox, "touch ~/broken").await.unwrap();
    let pause = format!("/sandboxes/{}/pause", sandbox.id);
    let (status, _) = cloud.control(Method::POST, &pause, json!({"memory": false})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);

    let connect = format!("/v2/sandboxes/{}/connect", sandbox.id);
    let (status, said) = cloud.control(Method::POST, &connect, json!({"timeout": 60})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    assert!(said["message"].as_str().unwrap().contains("start command ended"), "{said}");
    let records = crate::support::sandbox_records(&cloud.server.place.path("data/sandboxes"));
    assert_eq!(records, Vec::<std::path::PathBuf>::new(), "nothing of the attempt runs");
    let other = cloud.create(base()).await;
    for one in [&other, &sandbox] {
        assert_eq!(cloud.kill(one).await, StatusCode::NO_CONTENT);
    }
    cloud.nothing_is_left().await;
}

#[tokio::test]
async fn what_happens_in_a_sandbox_is_in_its_log() {
    let cloud = cloud();
    let sandbox = cloud.create(base()).await;
    cloud.say(&sandbox, "exit 7").await.unwrap();
    let logs = async |path: &str| cloud.control(Method::GET, path, Value::Null).await.1;
    let (first, second) =
        (format!("/sandboxes/{}/logs", sandbox.id), format!("/v2/sandboxes/{}/logs", sandbox.id));
    let begun = Instant::now();
    let told = loop {
        let told: Vec<String> = logs(&second).await["logs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["message"].as_str().unwrap().to_owned())
            .collect();
        if told.iter().any(|line| line.contains("exit code 7")) || begun.elapsed() > PATIENCE {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(told[0], "sandbox made from base");
    assert!(told.iter().any(|line| line.ends_with("started: /bin/bash -c exit 7")), "{told:?}");
    assert!(told.last().unwrap().contains("exit code 7"), "{told:?}");
    let old = logs(&first).await;
    assert_eq!(old["logs"][0]["line"], json!(told[0]));
    assert_eq!(old["logEntries"][0]["level"], "info");
    let backward = logs(&format!("{second}?direction=backward&limit=1")).await;
    assert_eq!(backward["logs"][0]["message"], json!(told.last().unwrap()));
    assert_eq!(
        logs(&format!("{second}?search=made+from&level=info")).await["logs"].as_array().unwrap().len(),
        1
    );
    assert_eq!(logs(&format!("{second}?level=error")).await["logs"], json!([]));
    assert_eq!(logs(&format!("{second}?level=loud")).await["code"], 400);
    assert_eq!(logs(&format!("{first}?start=99999999999999")).await["logs"], json!([]));
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn nobody_reaches_the_templates_and_uploads_of_somebody_else() {
    let door = Door::open("[e2b]\nenabled = true\n").await;
    let (member, other) = (door.person("Mia", "member").await, door.person("Omar", "member").await);
    let mut cloud = Cloud { key: member.clone(), server: door.server };
    let sandbox = cloud.create(base()).await;
    let snapshot = cloud.snapshot(&sandbox, json!({"name": "mine"})).await;
    let (template, build) = cloud.new_build("built").await;
    let hash = "0123456789abcdef".repeat(4);
    let files = format!("/templates/{template}/files/{hash}");
    let (status, place) = cloud.control(Method::GET, &files, Value::Null).await;
    assert_eq!((status, &place["present"]), (StatusCode::CREATED, &json!(false)));
    let url = place["url"].as_str().unwrap().to_owned();
    let put = async |url: &str| {
        let path = url.split_once("/templates").map(|(_, rest)| format!("/templates{rest}")).unwrap();
        cloud.server.request(Method::PUT, &path).body("an archive").send().await.unwrap().status()
    };
    let signature = url.rsplit_once("signature=").unwrap().1;
    for wrong in [
        url.replace(signature, "v1_AAAA"),
        url.replace(&hash, &"f".repeat(64)),
        url.replace("expires=", "expires=9"),
        files.clone(),
    ] {
        assert_eq!(put(&wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(put(&url).await, StatusCode::OK);
    assert_eq!(cloud.control(Method::GET, &files, Value::Null).await.1["present"], true);
    let bad = format!("/templates/{template}/files/..%2f..%2fx");
    assert_eq!(cloud.control(Method::GET, &bad, Value::Null).await.0, StatusCode::BAD_REQUEST);

    cloud.key = other;
    for (method, path, body) in [
        (Method::POST, "/v2/sandboxes".to_owned(), json!({"templateID": snapshot})),
        (Method::POST, "/v2/sandboxes".to_owned(), json!({"templateID": "mine"})),
        (Method::DELETE, "/templates/mine".to_owned(), Value::Null),
        (Method::GET, "/templates/aliases/mine".to_owned(), Value::Null),
        (Method::GET, files, Value::Null),
        (Method::GET, format!("/templates/{template}/builds/{build}/status"), Value::Null),
        (Method::POST, format!("/v2/templates/{template}/builds/{build}"), json!({})),
        (Method::POST, "/templates/tags".to_owned(), json!({"target": "mine:default", "tags": ["x"]})),
        (Method::POST, format!("/sandboxes/{}/snapshots", sandbox.id), json!({})),
        (Method::POST, format!("/sandboxes/{}/fork", sandbox.id), json!({})),
        (Method::PUT, format!("/sandboxes/{}/network", sandbox.id), json!({})),
        (Method::GET, format!("/v2/sandboxes/{}/logs", sandbox.id), Value::Null),
    ] {
        let (status, said) = cloud.control(method.clone(), &path, body).await;
        assert_eq!((status, &said["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{method} {path}: {said}");
    }
    assert_eq!(cloud.control(Method::GET, "/snapshots", Value::Null).await.1, json!([]));
    assert_eq!(cloud.control(Method::GET, "/templates", Value::Null).await.1, json!([]));
    cloud.key = member;
    assert_eq!(cloud.control(Method::GET, "/templates/aliases/mine", Value::Null).await.0, StatusCode::OK);
    assert_eq!(cloud.kill(&sandbox).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn who_is_removed_loses_their_sandboxes_and_an_admin_finds_what_else_they_left() {
    let door = Door::open("[e2b]\nenabled = true\n[queue]\nsandboxes_per_person = 0\n").await;
    let (member, other) = (door.person("Mia", "member").await, door.person("Omar", "member").await);
    let (mia, owner) = (door.id("Mia").await, door.owner.clone());
    let mut cloud = Cloud { key: member, server: door.server };
    let (running, paused) = (cloud.create(base()).await, cloud.create(base()).await);
    let pause = format!("/sandboxes/{}/pause", paused.id);
    assert_eq!(cloud.control(Method::POST, &pause, Value::Null).await.0, StatusCode::NO_CONTENT);
    cloud.snapshot(&running, json!({"name": "mine"})).await;
    let (template, _) = cloud.new_build("built").await;
    let files = format!("/templates/{template}/files/{}", "0123456789abcdef".repeat(4));
    let url = cloud.control(Method::GET, &files, Value::Null).await.1["url"].as_str().unwrap().to_owned();
    let path = url.split_once("/templates").map(|(_, rest)| format!("/templates{rest}")).unwrap();
    let put = cloud.server.request(Method::PUT, &path).body("an archive").send().await.unwrap();
    assert_eq!(put.status(), StatusCode::OK);
    cloud.key = other.clone();
    let others = cloud.create(base()).await;

    let ours = async |token: &str, method: Method, path: &str| {
        answer(cloud.server.request(method, &format!("/api/v1{path}")).bearer_auth(token)).await
    };
    let removed = ours(&owner, Method::DELETE, &format!("/people/{mia}")).await.0;
    assert_eq!(removed, StatusCode::NO_CONTENT);
    let begun = Instant::now();
    for sandbox in [&running, &paused] {
        while cloud.health(sandbox).await != StatusCode::BAD_GATEWAY {
            assert!(begun.elapsed() < PATIENCE, "a sandbox of somebody who was removed is there still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!(cloud.health(&others).await, StatusCode::NO_CONTENT, "nobody else's is");

    let (_, all) = ours(&owner, Method::GET, "/templates").await;
    let people: Vec<_> = all["items"].as_array().unwrap().iter().map(|one| one["person"].clone()).collect();
    assert_eq!(people, ["Mia", "Mia"], "{all}");
    assert_eq!((&all["uploads"][0]["person"], &all["uploads"][0]["bytes"]), (&json!("Mia"), &json!(10)));
    assert_eq!(ours(&other, Method::GET, "/templates").await.0, StatusCode::FORBIDDEN);
    let say = |arguments: &[&str]| {
        let output = cloud.server.place.command(arguments).env("LAMPLIGHT_TOKEN", &owner).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = say(&["sandboxes", "templates"]);
    assert!(said.contains("mine:default") && said.contains("1 uploads of Mia, 0 MiB"), "{said}");
    let uploads = all["uploads"][0]["id"].as_str().unwrap();
    for id in [all["items"][0]["id"].as_str().unwrap(), all["items"][1]["id"].as_str().unwrap(), uploads] {
        assert_eq!(ours(&other, Method::DELETE, &format!("/templates/{id}")).await.0, StatusCode::FORBIDDEN);
        say(&["sandboxes", "forget", &id[10..]]);
        assert_eq!(ours(&owner, Method::DELETE, &format!("/templates/{id}")).await.0, StatusCode::NOT_FOUND);
    }
    let (_, all) = ours(&owner, Method::GET, "/templates").await;
    assert_eq!(all, json!({"items": [], "uploads": []}));
    assert_eq!(cloud.kill(&others).await, StatusCode::NO_CONTENT);
}

/// What starts in a fork waits for a file that only the test makes; the origin is ended before.
#[tokio::test]
async fn a_sandbox_is_ended_while_its_forks_start() {
    let cloud = cloud();
    let build = cloud.new_build("slow").await;
    // The first of a template is ready; a fork is not before its marker is there.
    let recipe = json!({"readyCmd": "test ! -e ~/is-fork || test -e ~/go"});
    assert_eq!(cloud.build(&build, recipe).await, StatusCode::ACCEPTED);
    assert_eq!(cloud.built(&build).await["status"], "ready");
    let sandbox = cloud.create(json!({"templateID": "slow"})).await;
    cloud.say(&sandbox, "touch ~/is-fork").await.unwrap();
    let path = format!("/sandboxes/{}/fork", sandbox.id);
    let fork = cloud.control(Method::POST, &path, json!({"count": 1, "timeout": 600}));
    let ended = async {
        // Its record is there when it starts.
        let begun = Instant::now();
        while crate::support::sandbox_records(&cloud.server.place.path("data/sandboxes")).len() < 2 {
            assert!(begun.elapsed() < PATIENCE, "no fork starts");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cloud.kill(&sandbox).await
    };
    tokio::select! {
        ended = ended => assert_eq!(ended, StatusCode::NO_CONTENT),
        forks = fork => panic!("the origin was held until its forks had started: {forks:?}"),
    }
    cloud.server.signal("KILL");
    let (_, place) = cloud.server.ended();
    Cloud::of(Server::start_in(place)).nothing_is_left().await;
}

#[tokio::test]
async fn forks_for_which_there_is_no_place_say_so_one_by_one() {
    let cloud = Cloud::of(Server::start_in(crate::support::Place::with(
        "[e2b]\nenabled = true\n[queue]\nsandboxes = 2\nsandboxes_per_person = 0\n",
    )));
    let sandbox = cloud.create(base()).await;
    let fork = format!("/sandboxes/{}/fork", sandbox.id);
    let (status, forks) = cloud.control(Method::POST, &fork, json!({"count": 2, "timeout": 60})).await;
    assert_eq!(status, StatusCode::CREATED, "{forks}");
    let forks = forks.as_array().unwrap();
    let made: Vec<&Value> = forks.iter().filter_map(|fork| fork.get("sandbox")).collect();
    let refused: Vec<&Value> = forks.iter().filter_map(|fork| fork.get("error")).collect();
    assert_eq!((made.len(), refused.len(), &refused[0]["code"]), (1, 1, &json!(429)), "{forks:?}");
    for (count, timeout) in [(0, 60), (101, 60), (1, 0), (1, 999_999_999)] {
        let (status, _) =
            cloud.control(Method::POST, &fork, json!({"count": count, "timeout": timeout})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{count} {timeout}");
    }
    for id in [sandbox.id.as_str(), made[0]["sandboxID"].as_str().unwrap()] {
        cloud.control(Method::DELETE, &format!("/sandboxes/{id}"), Value::Null).await;
    }
    cloud.nothing_is_left().await;
}
