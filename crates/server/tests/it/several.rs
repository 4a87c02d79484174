//! Two servers on one PostgreSQL, with data directories of their own.

mod one_view;
mod room;
mod through;

use crate::support::{PATIENCE, Place, Server, away};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::time::Instant;

/// From one look at whether something is so to the next.
const LOOK: Duration = Duration::from_millis(50);
/// Both have to have it.
pub(crate) const SHARED_KEY: (&str, &str) =
    ("LAMPLIGHT_SECRETS_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
/// Another server has the session after so long at most.
const FAILOVER: Duration = Duration::from_secs(15);
/// A turn that is not over before somebody kills its server.
const LONG: &str = "!think first\n!stream 100 100\n!say done.";

fn places() -> (Place, Place) {
    let mut one = Place::on_postgres();
    one.environment.push(SHARED_KEY);
    let other = one.beside();
    (one, other)
}

pub(crate) fn pair() -> (Server, Server) {
    let (one, other) = places();
    (Server::start_in(one), Server::start_in(other))
}

/// The log as this server has it.
async fn log(server: &Server, id: &str) -> Vec<Value> {
    let (status, page) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    // The database may be coming back.
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return Vec::new();
    }
    assert_eq!(status, StatusCode::OK, "{page}");
    let entries = page["entries"].as_array().unwrap().clone();
    for (place, entry) in (1..).zip(&entries) {
        assert_eq!(entry["seq"], place, "seq is contiguous");
    }
    entries
}

/// The log once there is an event of this type in it, whichever server has the session until then.
async fn until_there(server: &Server, id: &str, kind: &str) -> Vec<Value> {
    let looking = async {
        loop {
            let entries = log(server, id).await;
            if count(&entries, kind) > 0 {
                return entries;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{id} has no {kind}"))
}

fn count(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["event"]["type"] == kind).count()
}

/// Asks for a prompt until it is taken: a session may be on its way from one server to the other.
async fn prompt(server: &Server, id: &str, text: &str) {
    let asking = async {
        loop {
            let (status, answer) =
                server.post(&format!("/sessions/{id}/prompts"), json!({ "text": text })).await;
            if status.is_success() {
                return;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the prompt is taken");
}

/// Waits until the database says that this server has the session.
async fn until_owned(database: &Server, session: &str, server: &Server) {
    let number = std::fs::read_to_string(server.place.path("data/server")).unwrap();
    let number = number.split(' ').next().unwrap().to_owned();
    let cluster = database.place.cluster.as_ref().unwrap();
    let waiting = async {
        while cluster.sql(&format!("SELECT owner FROM logs WHERE session = '{session}'"))
            != Ok(number.clone())
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the session changes its server");
}

#[tokio::test]
async fn a_session_made_at_one_server_is_watched_and_steered_at_the_other() {
    let (one, other) = pair();
    let mut list = other.socket("/events").await;
    let id = one.create("!write one.txt one\n!say the first").await;
    let entries = other.until(&id, "checkpoint_kept", 1).await;
    assert_eq!(count(&entries, "turn_ended"), 1);
    let told = async {
        loop {
            let frame = list.frame().await.expect("the stream goes on");
            if frame["id"] == id.as_str() {
                return frame;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the list at the other server is told");

    let (status, answer) =
        other.post(&format!("/sessions/{id}/prompts"), json!({"text": "!write two.txt two"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let entries = one.until(&id, "checkpoint_kept", 2).await;
    assert_eq!(other.until(&id, "checkpoint_kept", 2).await, entries, "both show the same");
    let branch = one.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(one.place.git(&["show", &format!("{branch}:two.txt")]), "two");
    // What is in the sandbox is on the other machine, and comes from there.
    let file = other.request(Method::GET, &format!("/api/v1/sessions/{id}/files/content?path=two.txt"));
    assert_eq!(file.send().await.unwrap().text().await.unwrap().trim(), "two");
    let (_, audit) = one.get("/audit").await;
    assert_eq!(audit["items"][0]["action"], "prompt_session", "{audit}");
    other.clear().await;
}

/// What waits for its prompt at one server is taken along by the prompt that goes to another.
#[tokio::test]
async fn a_file_that_came_in_at_another_server_comes_with_its_prompt() {
    let (one, other) = pair();
    let id = one.create("!say hello").await;
    one.until(&id, "turn_ended", 1).await;
    let upload =
        other.request(Method::POST, "/api/v1/attachments?name=notes.txt").body("from the other side");
    let (status, file) = crate::support::answer(upload).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    let prompt = json!({
        "text": "!run cat /home/agent/attachments/*/notes.txt > seen.txt",
        "attachments": [{"id": file["id"], "name": "notes.txt"}],
    });
    let (status, answer) = other.post(&format!("/sessions/{id}/prompts"), prompt).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    one.until(&id, "checkpoint_kept", 2).await;
    let branch = one.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(one.place.git(&["show", &format!("{branch}:seen.txt")]), "from the other side");
    // By the name of a preview, which is passed on for anybody, no file comes out.
    let path = format!("/between/files/{}", file["id"].as_str().unwrap());
    let preview = other.request(Method::GET, &path);
    let preview = preview.header(header::HOST, format!("p3000-{}.localhost", id.to_lowercase()));
    let answer = preview.send().await.unwrap();
    assert!(!answer.status().is_success(), "{}", answer.status());
    // What nobody has is missed in the same words as ever.
    let prompt = json!({"text": "look", "attachments": [{"id": "ab".repeat(32), "name": "x"}]});
    let (status, answer) = other.post(&format!("/sessions/{id}/prompts"), prompt).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &"attachment_not_found".into()));
    one.clear().await;
}

#[tokio::test]
async fn of_a_server_that_is_killed_in_a_turn_another_has_the_session_in_time() {
    let (one, other) = pair();
    let id = one.create(LONG).await;
    one.until(&id, "agent_thought", 1).await;
    one.signal("KILL");
    let killed = Instant::now();
    let place = one.ended().1;
    let entries = until_there(&other, &id, "sandbox_lost").await;
    let after = killed.elapsed();
    assert!(after <= FAILOVER, "the other has it after {after:?}");
    assert_eq!(count(&entries, "turn_started"), 1);
    prompt(&other, &id, "!write two.txt two").await;
    let entries = other.until(&id, "turn_ended", 2).await;
    // The first prompt was asked again in a new sandbox, and people are told that what was not committed is lost.
    assert_eq!((count(&entries, "turn_started"), count(&entries, "sandbox_lost")), (3, 1));
    assert!(count(&entries, "noted") > 0, "{entries:?}");

    // The one that comes back passes on what is asked of it, and ends what it still has.
    let one = Server::start_in(place);
    assert_eq!(one.view(&id).await["branch"], other.view(&id).await["branch"]);
    let gone = async {
        while !crate::support::sandbox_records(&one.place.path("data/sandboxes")).is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the sandbox that nobody has is destroyed");
    one.clear().await;
}

#[tokio::test]
async fn a_server_that_was_frozen_for_too_long_writes_nothing_and_ends_its_agents() {
    let (one, other) = pair();
    let id = one.create(LONG).await;
    one.until(&id, "agent_thought", 1).await;
    one.signal("STOP");
    until_owned(&one, &id, &other).await;
    let entries = other.until(&id, "sandbox_lost", 1).await;
    let records = || crate::support::sandbox_records(&one.place.path("data/sandboxes"));
    assert_eq!(records().len(), 1, "its agent goes on meanwhile");
    one.signal("CONT");
    let gone = async {
        while !records().is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it ends its agents");
    // What it is asked now is answered where the session is.
    prompt(&one, &id, "!write two.txt two").await;
    other.until(&id, "checkpoint_kept", 1).await;
    let now = log(&one, &id).await;
    assert_eq!(now[..entries.len()], entries, "nothing was written between");
    assert_eq!(count(&now, "sandbox_lost"), 1, "and nothing of its own end: {now:?}");
    other.clear().await;
}

#[tokio::test]
async fn a_server_that_is_stopped_hands_its_sessions_over_at_once() {
    let (one, other) = pair();
    let id = one.create(LONG).await;
    one.until(&id, "agent_thought", 1).await;
    one.signal("TERM");
    let (code, place) = one.ended();
    assert_eq!(code, Some(0));
    let stopped = Instant::now();
    until_there(&other, &id, "sandbox_lost").await;
    let after = stopped.elapsed();
    assert!(after < Duration::from_secs(9), "it did not wait for a lease to end: {after:?}");
    drop(place.cluster);
    drop(other);
}

/// What lies here of before is not gone on from: what the other has done since is not in it. And when the session has ended, nothing lies anywhere.
#[tokio::test]
async fn a_session_that_comes_back_goes_on_from_what_was_done_at_the_other() {
    let (one, other) = pair();
    let id = one.create("!write one.txt one").await;
    one.until(&id, "checkpoint_kept", 1).await;
    one.signal("TERM");
    let left = one.ended().1;
    prompt(&other, &id, "!write two.txt two").await;
    other.until(&id, "checkpoint_kept", 2).await;
    let one = Server::start_in(left);
    other.signal("TERM");
    let left = other.ended().1;
    prompt(&one, &id, "!write three.txt three").await;
    one.until(&id, "checkpoint_kept", 3).await;
    let branch = one.view(&id).await["branch"].as_str().unwrap().to_owned();
    for file in ["one", "two", "three"] {
        assert_eq!(one.place.git(&["show", &format!("{branch}:{file}.txt")]), file);
    }

    let files = |place: &Place| place.path("data/sandboxes").join(&id).exists();
    assert!(files(&left) && files(&one.place), "each has what it had");
    let (status, answer) = one.post(&format!("/sessions/{id}/end"), json!({})).await;
    assert!(status.is_success(), "{answer}");
    let other = Server::start_in(left);
    let gone = async {
        while files(&one.place) || files(&other.place) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("nobody keeps what nobody needs");
    one.clear().await;
}

/// Every lease ends meanwhile; whoever comes back first does not take what the other has.
#[tokio::test]
async fn after_the_database_was_away_each_server_has_its_own_sessions_still() {
    let (mut one, other) = pair();
    let (mine, theirs) = (one.create(LONG).await, other.create(LONG).await);
    one.until(&mine, "agent_thought", 1).await;
    other.until(&theirs, "agent_thought", 1).await;
    one.place.cluster.as_mut().unwrap().crash();
    // Longer than a lease.
    away(Duration::from_secs(11)).await;
    one.place.cluster.as_mut().unwrap().go_on();
    for (server, id) in [(&one, &mine), (&other, &theirs)] {
        let entries = until_there(server, id, "turn_ended").await;
        assert_eq!(count(&entries, "sandbox_lost"), 0, "{entries:?}");
    }
    other.clear().await;
}

/// On an empty database: one of them makes its tables.
#[tokio::test]
async fn servers_that_start_at_the_same_moment_all_come_up() {
    let (one, other) = places();
    let third = one.beside();
    let starting = [one, other, third].map(|place| std::thread::spawn(move || Server::start_in(place)));
    let servers = starting.map(|starting| starting.join().unwrap());
    let id = servers[2].create("!say hello").await;
    servers[0].until(&id, "turn_ended", 1).await;
    for server in &servers {
        let (status, _) = server.get("/sessions").await;
        assert_eq!(status, StatusCode::OK);
    }
    servers[1].clear().await;
}

#[test]
fn a_server_with_another_key_does_not_start_and_says_why() {
    let (one, mut other) = places();
    let one = Server::start_in(one);
    other.environment.pop();
    let mut serve = other.command(&["serve"]);
    let refused = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("another sealing key"), "{said}");
    assert!(said.contains(one.authority()), "{said}");
}

/// Nobody but a server of the same database can say that it was one.
#[tokio::test]
async fn who_claims_to_be_another_server_is_refused() {
    let (one, _other) = pair();
    let id = one.create("!say hello").await;
    for word in ["", "00", &"ab".repeat(80)] {
        let asked = one.request(Method::GET, &format!("/api/v1/sessions/{id}"));
        let answer = asked.header("lamplight-passed-on", word).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{word}");
    }
    one.clear().await;
}
