//! An installation of every version that was released opens in this one, and nothing of it is lost.
//!
//! In `fixtures/installations` there is a directory for each: its log, its files and its repository, packed, and beside them what its API
//! showed. `cargo xtask fixture` adds one of the version that it is run with. Logs name their repository by its path, so all of
//! them are made and opened at one place.

mod shown;

use crate::automations::{add, until_run};
use crate::hooks::told_by;
use crate::people::Door;
use crate::several::SHARED_KEY;
use crate::support::{PATIENCE, Place, Server, answer};
use crate::usage::{PRICES, chat, model};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shown::{missed, shown};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Has one of this version made.
const KEEP: &str = "LAMPLIGHT_KEEP_INSTALLATION";
/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(50);
const PLACE: &str = "/tmp/lamplight-installation";
/// What is packed of it. The files of its sandboxes are not, which lie on files of the machine; the sessions go on from their branches.
const KEPT: [&str; 4] = ["data/lamplight.db", "data/attachments", "data/blobs", "repository"];
const KEY: &str = "sk-of-an-installation";
/// The session that is not over.
const GOES_ON: &str = "This one goes on";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/installations")
}

/// The place with nothing in it, for whoever has the lock.
fn place(models: &str) -> (File, Place) {
    let lock = File::create(format!("{PLACE}.lock")).unwrap();
    lock.lock().unwrap();
    // Of a run that was killed.
    let _left = fs::remove_dir_all(PLACE);
    let (parent, name) = PLACE.rsplit_once('/').unwrap();
    let dir = tempfile::Builder::new().prefix(name).rand_bytes(0).tempdir_in(parent).unwrap();
    let mut place = Place::within(dir);
    let config = fs::read_to_string(place.path("lamplight.toml")).unwrap();
    fs::write(place.path("lamplight.toml"), config + models).unwrap();
    place.environment.extend([SHARED_KEY, ("LAMPLIGHT_HOOKS_ALLOW_PRIVATE", "127.0.0.1")]);
    (lock, place)
}

fn tar(arguments: &[&str]) {
    let mut tar = Command::new("tar");
    let output = tar.args(["--directory", PLACE]).args(arguments).output().unwrap();
    assert!(output.status.success(), "tar {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn an_installation_of_every_earlier_version_opens_with_nothing_lost() {
    if std::env::var_os(KEEP).is_some() {
        keep(&fixtures().join(env!("CARGO_PKG_VERSION"))).await;
    }
    let mut opened = 0;
    for version in fs::read_dir(fixtures()).unwrap() {
        let version = version.unwrap().path();
        opens(&version).await;
        println!("{} opens", version.file_name().unwrap().display());
        opened += 1;
    }
    assert!(opened > 0, "there are some");
}

async fn opens(fixture: &Path) {
    let (_lock, place) = place(&format!("[models.openai]\nbase = 'http://127.0.0.1:9/v1'\n{PRICES}"));
    fs::remove_dir_all(place.repository()).unwrap();
    tar(&["--extract", "--file", fixture.join("installation.tar.gz").to_str().unwrap()]);
    let before: Value = serde_json::from_slice(&fs::read(fixture.join("shown.json")).unwrap()).unwrap();
    let server = Server::start_in(place);
    let now = shown(&server).await;
    for (path, before) in before["shown"].as_object().unwrap() {
        assert_eq!(missed(before, &now[path]), None, "{path} of {}", fixture.display());
    }
    goes_on(&server, now["/sessions?limit=200"]["items"].as_array().unwrap()).await;

    server.signal("TERM");
    let mut place = server.ended().1;
    place.environment.push(("LAMPLIGHT_AUTH_REQUIRED", "1"));
    let door = Door::of(Server::start_so(place, &["serve", "--new-owner"]), "Nina").await;
    assert_eq!(missed(&before["people"], &people(&door).await), None);
}

/// Somebody works on in the session that is not over.
async fn goes_on(server: &Server, sessions: &[Value]) {
    let session = sessions.iter().find(|session| session["title"] == GOES_ON).unwrap();
    let id = session["id"].as_str().unwrap();
    let prompt = json!({ "text": "!write more.txt more" });
    let (status, accepted) = server.post(&format!("/sessions/{id}/prompts"), prompt).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    server.until(id, "work_committed", 2).await;
    let branch = session["branch"].as_str().unwrap();
    let file = |name: &str| server.place.git(&["show", &format!("{branch}{name}")]);
    // Of the turn before, and of this one.
    assert_eq!((file("~1:seen.txt").as_str(), file(":more.txt").as_str()), ("from a person", "more"));
    server.clear().await;
}

async fn people(door: &Door) -> Value {
    door.get(&door.owner, "/people").await.1
}

/// Makes an installation in which there is some of everything, and keeps it.
async fn keep(fixture: &Path) {
    let (base, _held, _asked) = model();
    let (_lock, mut place) = place(&format!("[models.openai]\nbase = '{base}/v1'\n{PRICES}"));
    place.environment.push(("LAMPLIGHT_AUTH_REQUIRED", "1"));
    let door = Door::of(Server::start_in(place), "Olga").await;
    for (name, role) in [("Maria", "member"), ("Vic", "viewer")] {
        door.person(name, role).await;
    }
    door.session().await;
    let people = people(&door).await;
    door.server.signal("TERM");
    let mut place = door.server.ended().1;
    place.environment.pop();

    let server = Server::start_in(place);
    fill(&server).await;
    let shown = shown(&server).await;
    server.signal("TERM");
    let (code, place) = server.ended();
    assert_eq!(code, Some(0));
    fs::create_dir_all(fixture).unwrap();
    let shown = json!({ "people": people, "shown": shown });
    fs::write(fixture.join("shown.json"), serde_json::to_string_pretty(&shown).unwrap() + "\n").unwrap();
    let packed = fixture.join("installation.tar.gz");
    let owner = ["--owner=0", "--group=0", "--numeric-owner", "--exclude=*.sample"];
    let pack = ["--create", "--gzip", "--sort=name", "--file", packed.to_str().unwrap()];
    tar(&[&owner[..], &pack, &KEPT].concat());
    let size = packed.metadata().unwrap().len();
    println!("kept in {}: {size} bytes, and what it shows", fixture.display());
    drop(place);
}

async fn fill(server: &Server) {
    let receiver = told_by(server, &[]).await;
    assert_eq!(server.put("/keys/anthropic", json!({ "key": KEY })).await.0, StatusCode::OK);
    let upload = server.request(Method::POST, "/api/v1/attachments?name=notes.txt").body("from a person");
    let (_, file) = answer(upload).await;
    let asked = json!({
        "repository": server.place.repository(),
        "title": GOES_ON,
        "prompt": format!(
            "!plan Read; Write\n!think first\n!run cat /home/agent/attachments/*/notes.txt > seen.txt\n\
             !run mkdir -p .lamplight/artifacts && echo result > .lamplight/artifacts/out.txt\n{}!say the needle is here",
            chat()
        ),
        "attachments": [{"id": file["id"], "name": "notes.txt"}],
    });
    let (status, view) = server.post("/sessions", asked).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    let id = view["id"].as_str().unwrap().to_owned();
    server.until(&id, "checkpoint_kept", 1).await;

    let fork = json!({"fork": {"session": id}, "prompt": "!run cat seen.txt > forked.txt"});
    let fork = server.post("/sessions", fork).await.1["id"].as_str().unwrap().to_owned();
    server.until(&fork, "checkpoint_kept", 1).await;
    over(server, &[fork]).await;
    let attempts = json!({
        "repository": server.place.repository(), "prompt": "!write a.txt one", "attempts": [{}, {}]
    });
    let (_, first) = server.post("/sessions", attempts).await;
    let attempts: Vec<String> = serde_json::from_value(first["attempts"]["sessions"].clone()).unwrap();
    for id in &attempts {
        server.until(id, "checkpoint_kept", 1).await;
    }
    server.post(&format!("/sessions/{}/take", attempts[1]), Value::Null).await;
    over(server, &attempts).await;
    let tripped = json!({
        "repository": server.place.repository(), "prompt": "!run true\n!run true", "limits": {"steps": 1}
    });
    let tripped = server.post("/sessions", tripped).await.1["id"].as_str().unwrap().to_owned();
    server.until(&tripped, "guard_tripped", 1).await;
    let failed = server.create("!exit 3").await;
    server.until(&failed, "turn_ended", 1).await;
    over(server, &[tripped, failed.clone()]).await;
    server.post(&format!("/sessions/{failed}/archive"), Value::Null).await;

    let automation = add(server, "Nightly", "!say Done.").await;
    server.post(&format!("/automations/{automation}/run"), Value::Null).await;
    let ran = until_run(server, &automation, 1, "done").await;
    over(server, &[ran["runs"][0]["session"].as_str().unwrap().to_owned()]).await;
    // By the clock it would run as soon as it is opened.
    server.post(&format!("/automations/{automation}/pause"), Value::Null).await;
    assert_eq!(server.post(&format!("/sessions/{id}/release"), Value::Null).await.0, StatusCode::ACCEPTED);
    server.until(&id, "sandbox_destroyed", 1).await;
    let told = async {
        while server.get("/hooks").await.1["items"][0]["waiting"] != 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("all is told that there is to tell");
    drop(receiver);
}

/// Ends them, and waits until nothing of their sandboxes is left.
async fn over(server: &Server, ids: &[String]) {
    for id in ids {
        if server.view(id).await["ended"] == false {
            server.finish(id).await;
        }
        server.until(id, "sandbox_destroyed", 1).await;
    }
}
