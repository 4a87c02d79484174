//! Servers whose attachments and artifacts are in a bucket of an S3 server.

use crate::cluster::Cluster;
use crate::seaweed::{BUCKET, LET_IN, Seaweed};
use crate::several::SHARED_KEY;
use crate::support::{PATIENCE, Place, Server, answer, away};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(50);
/// For which Kubernetes waits, unless it is told otherwise.
const PROBE: Duration = Duration::from_secs(1);
/// Leaves a file behind as a result, and is not over before somebody has done something meanwhile.
const OFFER: &str = "!write one.txt one\n\
    !run mkdir -p .lamplight/artifacts && echo result > .lamplight/artifacts/out.txt\n!stream 80 100";

fn configured(seaweed: &Seaweed, bucket: &str) -> String {
    format!("[blobs]\nurl = 's3://{bucket}/ours'\nendpoint = '{}'\n", seaweed.endpoint())
}

fn place(seaweed: &Seaweed) -> Place {
    let mut place = Place::with(&configured(seaweed, BUCKET));
    place.environment.extend(LET_IN);
    place
}

async fn upload(server: &Server, content: &'static str) -> (StatusCode, Value) {
    answer(server.request(Method::POST, "/api/v1/attachments?name=notes.txt").body(content)).await
}

/// What is in a file, once there is such a one.
async fn content(server: &Server, id: &Value) -> (StatusCode, String) {
    let path = format!("/api/v1/attachments/{}", id.as_str().unwrap());
    let answer = server.request(Method::GET, &path).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn artifact(server: &Server, session: &str) -> Value {
    let (_, list) = server.get(&format!("/sessions/{session}/artifacts")).await;
    assert_eq!(list["items"][0]["name"], "out.txt", "{list}");
    list["items"][0]["id"].clone()
}

/// What is accepted is kept, what cannot be kept is refused, people see which, and all goes on by itself.
#[tokio::test]
async fn an_object_store_that_is_away_for_a_while_is_told_and_costs_nothing() {
    let Some(mut seaweed) = Seaweed::start() else { return };
    let server = Server::start_in(place(&seaweed));
    let ready = async || {
        let answer = server.request(Method::GET, "/readyz").send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    // It is looked at now and then, and nobody who asks waits for it.
    let until_ready = async |word: &str| {
        let said = async {
            loop {
                let (status, said) = ready().await;
                assert_eq!(status, StatusCode::OK, "work that needs no file goes on");
                if said.contains(word) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("{word:?} is not said"));
    };
    until_ready("ready\n").await;
    let (status, file) = upload(&server, "from a person").await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    let id = server.create(OFFER).await;
    server.until(&id, "agent_spoke", 1).await;
    let asked = json!({
        "repository": server.place.repository(),
        "prompt": "!run cat /home/agent/attachments/*/notes.txt > seen.txt",
        "attachments": [{"id": file["id"], "name": "notes.txt"}],
    });
    let (status, accepted) = server.post("/sessions", asked).await;
    assert_eq!(status, StatusCode::CREATED, "{accepted}");
    let waiting = accepted["id"].as_str().unwrap();
    // Its sandbox is not there yet.
    seaweed.crash();
    let (status, problem) = upload(&server, "in vain").await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"storage_unavailable".into()));
    assert!(problem["what_to_do"].as_str().unwrap().contains("lamplight doctor"), "{problem}");
    until_ready("the object store cannot be used").await;
    for (session, what) in [(id.as_str(), "What is to be kept"), (waiting, "The prompt waits for its files")]
    {
        let expected = format!("The object store does not answer. {what}");
        let told =
            async {
                while !server.until(session, "noted", 1).await.iter().any(|entry| {
                    entry["event"]["text"].as_str().is_some_and(|text| text.starts_with(&expected))
                }) {
                    tokio::time::sleep(LOOK).await;
                }
            };
        tokio::time::timeout(PATIENCE, told)
            .await
            .unwrap_or_else(|_| panic!("{what}: it is told in the session"));
    }
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:one.txt")]), "one", "the work does not wait");

    away(Duration::ZERO).await;
    seaweed.go_on();
    server.until(&id, "work_committed", 1).await;
    let result = artifact(&server, &id).await;
    assert_eq!(content(&server, &result).await, (StatusCode::OK, "result\n".to_owned()));
    let entries = server.until(waiting, "work_committed", 1).await;
    let branch = server.view(waiting).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:seen.txt")]), "from a person");
    let missed = entries.iter().filter(|entry| {
        entry["event"]["text"].as_str().is_some_and(|text| text.contains("could not be put into the sandbox"))
    });
    assert_eq!(missed.count(), 0, "{entries:?}");
    until_ready("ready\n").await;
    server.clear().await;
}

#[tokio::test]
async fn an_object_store_that_hangs_keeps_nobody_waiting_who_asks_whether_the_server_is_ready() {
    // Who connects gets no answer.
    let hangs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = hangs.local_addr().unwrap();
    let mut place =
        Place::with(&format!("[blobs]\nurl = 's3://{BUCKET}/ours'\nendpoint = 'http://{endpoint}'\n"));
    place.environment.extend(LET_IN);
    let server = Server::start_in(place);
    let told = async {
        loop {
            let asked = server.request(Method::GET, "/readyz").timeout(PROBE);
            let answer = asked.send().await.expect("before whoever asks gives up");
            assert_eq!(answer.status(), StatusCode::OK);
            if answer.text().await.unwrap().contains("the object store cannot be used") {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it is told");
    server.clear().await;
}

#[tokio::test]
async fn files_of_a_server_that_is_gone_are_still_there_for_the_others() {
    let Some(seaweed) = Seaweed::start() else { return };
    let mut here = place(&seaweed);
    here.cluster = Some(Cluster::start());
    here.environment.push(SHARED_KEY);
    let there = here.beside();
    // The database is that place's, and has to outlive the server that is killed.
    let (one, other) = (Server::start_in(there), Server::start_in(here));
    let (status, file) = upload(&one, "from a person").await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    let id = one.create(OFFER).await;
    let prompt = json!({"text": "look", "attachments": [{"id": file["id"], "name": "notes.txt"}]});
    let (status, accepted) = other.post(&format!("/sessions/{id}/prompts"), prompt).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    one.until(&id, "work_committed", 1).await;
    one.signal("KILL");
    let (_, place) = one.ended();
    let result = artifact(&other, &id).await;
    assert_eq!(content(&other, &result).await, (StatusCode::OK, "result\n".to_owned()));
    assert_eq!(content(&other, &file["id"]).await, (StatusCode::OK, "from a person".to_owned()));
    // Nor does anything of it lie on a disk.
    for name in ["blobs", "attachments", "uploads"] {
        assert!(!place.path("data").join(name).exists(), "{name}");
        assert!(!other.place.path("data").join(name).exists(), "{name}");
    }
    let one = Server::start_in(place);
    one.clear().await;
}

/// How many files there are in the folders of this one.
fn files(folder: &Path) -> usize {
    let entries =
        |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries(folder).map(|home| entries(&home).count()).sum()
}

#[tokio::test]
async fn what_was_in_the_data_directory_goes_into_the_bucket_and_a_backup_names_it() {
    let Some(seaweed) = Seaweed::start() else { return };
    let server = Server::start();
    let id = server.create(OFFER).await;
    server.until(&id, "work_committed", 1).await;
    let result = artifact(&server, &id).await;
    server.signal("TERM");
    let mut place = server.ended().1;
    let attachments = place.path("data/attachments");
    assert_eq!(files(&attachments), 1);
    let mut config = std::fs::File::options().append(true).open(place.path("lamplight.toml")).unwrap();
    config.write_all(configured(&seaweed, BUCKET).as_bytes()).unwrap();
    place.environment.extend(LET_IN);

    let server = Server::start_in(place);
    assert_eq!(content(&server, &result).await, (StatusCode::OK, "result\n".to_owned()));
    let gone = async {
        while files(&attachments) > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it is taken along");
    assert_eq!(content(&server, &result).await, (StatusCode::OK, "result\n".to_owned()));
    let backup = server.place.path("backup");
    let told = server.place.say(&["backup", "create", backup.to_str().unwrap()]);
    assert!(told.contains(&format!("are in s3://{BUCKET}/ours")), "{told}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(backup.join("backup.json")).unwrap()).unwrap();
    assert_eq!((&manifest["bucket"], &manifest["blobs"]), (&json!(format!("s3://{BUCKET}/ours")), &json!(0)));
    server.clear().await;
}

#[test]
fn doctor_says_whether_the_bucket_can_be_used() {
    let Some(mut seaweed) = Seaweed::start() else { return };
    let found = |place: &Place| {
        let output = place.run(&["doctor", "--json"]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.contains("SECRETTEST"), "{said}");
        let told: Value = serde_json::from_str(&said).unwrap();
        let findings = told["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["name"] == "object store").unwrap()
    };
    let good = place(&seaweed);
    assert_eq!(found(&good)["state"], "ok");
    let mut other = place(&seaweed);
    std::fs::write(other.path("lamplight.toml"), configured(&seaweed, "nowhere")).unwrap();
    let told = found(&other);
    assert!(
        told["state"] == "limited"
            && told["detail"].as_str().unwrap().ends_with("404 Not Found, NoSuchBucket"),
        "{told}"
    );
    other = place(&seaweed);
    other.environment.retain(|(name, _)| !LET_IN.iter().any(|(let_in, _)| name == let_in));
    other.environment.extend([("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "another")]);
    let told = found(&other);
    assert!(told["detail"].as_str().unwrap().ends_with("403 Forbidden, SignatureDoesNotMatch"), "{told}");
    assert!(
        told["state"] == "limited" && told["remedy"].as_str().unwrap().contains("AWS_ACCESS_KEY_ID"),
        "{told}"
    );
    seaweed.crash();
    let told = found(&good);
    assert!(told["detail"].as_str().unwrap().contains("Connection refused"), "{told}");
}
