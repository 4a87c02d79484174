//! Addresses that are told what happens to sessions: a real server, a real receiver.

#[expect(dead_code, reason = "the engine's tests ask it for more")]
#[path = "../../../engine/src/hooks/tests/receiver.rs"]
pub(crate) mod receiver;

use crate::several::SHARED_KEY;
use crate::support::{Place, Server};
use receiver::{Heard, Manner, Receiver};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LOOPBACK: &str = "[hooks]\nallow_private = ['127.0.0.1']\n";

async fn receiver() -> Receiver {
    Receiver::start(|| lamplight_engine::now().0 / 1000).await
}

/// A receiver that this server tells.
pub(crate) async fn told_by(server: &Server, more: &[&str]) -> Receiver {
    let receiver = receiver().await;
    let said = server.place.say(&[&["hooks", "add", receiver.url.as_str()][..], more].concat());
    receiver.knows(said.lines().next().unwrap());
    receiver
}

fn payload(heard: &Heard) -> Value {
    serde_json::from_str(&heard.body).unwrap()
}

fn kinds(heard: &[Heard]) -> BTreeSet<String> {
    heard.iter().map(|heard| payload(heard)["type"].as_str().unwrap().to_owned()).collect()
}

/// The first of this kind.
fn of(heard: &[Heard], kind: &str) -> Value {
    let mut all = heard.iter().map(payload);
    all.find(|payload| payload["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {heard:?}"))
}

fn set<const N: usize>(kinds: [&str; N]) -> BTreeSet<String> {
    kinds.map(str::to_owned).into()
}

#[tokio::test]
async fn a_session_is_told_of_from_its_first_turn_to_its_commit() {
    let server = Server::start_in(Place::with(LOOPBACK));
    let receiver = told_by(&server, &[]).await;
    let id = server.create("!write one.txt one\n!say the needle is here").await;
    let log = server.until(&id, "work_committed", 1).await;
    let all = set(["turn.started", "turn.ended", "work.committed"]);
    receiver.until(|heard| kinds(heard) == all).await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), 3);
    for one in &heard {
        let payload = payload(one);
        let (data, view) = (&payload["data"], server.view(&id).await);
        for name in ["title", "repository", "branch", "turn"] {
            assert_eq!(data[name], view[name], "{payload}");
        }
        assert_eq!((&data["session_id"], &data["person"]), (&json!(id), &json!("Ada")));
        assert!(data["link"].as_str().unwrap().ends_with(&format!("/sessions/{id}")), "{payload}");
        let seq = data["seq"].as_u64().unwrap();
        assert_eq!(one.id, format!("{id}-{seq}"));
        let entry = &log[usize::try_from(seq).unwrap() - 1];
        let event = entry["event"]["type"].as_str().unwrap();
        assert_eq!(payload["type"].as_str().unwrap().replace('.', "_"), event);
        assert!(!one.body.contains("needle"), "{}", one.body);
    }
    let ended = of(&heard, "turn.ended");
    assert_eq!(ended["data"]["result"], "completed");
    let commit = &of(&heard, "work.committed")["data"]["commit"];
    assert_eq!((&commit["files"], &commit["insertions"]), (&json!(1), &json!(1)));
    assert_eq!(commit["id"], server.view(&id).await["commits"][0]["id"]);
    server.clear().await;
}

#[tokio::test]
async fn who_waits_who_is_needed_and_what_was_stopped_are_told_by_their_kinds() {
    let mut place = Place::with(LOOPBACK);
    place.environment.push(("LAMPLIGHT_QUEUE_SANDBOXES", "1"));
    let server = Server::start_in(place);
    let receiver =
        told_by(&server, &["--events", "session.queued,person.needed,turn.failed,turn.tripped"]).await;
    let asked =
        json!({"repository": server.place.repository(), "prompt": "!ask May I?", "permissions": "ask"});
    let (_, busy) = server.post("/sessions", asked).await;
    let busy = busy["id"].as_str().unwrap().to_owned();
    receiver.until(|heard| kinds(heard) == set(["person.needed"])).await;
    let needed = of(&receiver.heard(), "person.needed");
    assert_eq!(
        (&needed["data"]["asks"], &needed["data"]["status"]),
        (&json!("permission"), &json!("waiting_for_you"))
    );

    let second = json!({
        "repository": server.place.repository(), "prompt": "!run true\n!run true\n!run true", "limits": {"steps": 1}
    });
    server.post("/sessions", second).await;
    receiver.until(|heard| kinds(heard).contains("session.queued")).await;
    let queued = of(&receiver.heard(), "session.queued");
    assert_eq!((&queued["data"]["status"], &queued["data"]["queue_position"]), (&json!("queued"), &json!(1)));
    assert!(queued["data"]["estimated_wait_seconds"].as_u64().unwrap() > 0, "{queued}");
    server.post(&format!("/sessions/{busy}/stop"), Value::Null).await;
    receiver.until(|heard| kinds(heard).contains("turn.tripped")).await;
    let tripped = of(&receiver.heard(), "turn.tripped");
    assert_eq!(tripped["data"]["guard"], "steps", "{tripped}");
    server.create("!exit 3").await;
    receiver.until(|heard| kinds(heard).contains("turn.failed")).await;
    let failed = of(&receiver.heard(), "turn.failed");
    assert_eq!(failed["data"]["side"], "agent", "{failed}");
    assert!(!kinds(&receiver.heard()).contains("turn.ended"), "nobody asked for those");
    server.clear().await;
}

/// The server dies between the row and its answer: whoever is told is told again, by the same id.
#[tokio::test]
async fn what_a_killed_server_did_not_tell_is_told_by_the_next() {
    let server = Server::start_in(Place::with(LOOPBACK));
    let receiver = told_by(&server, &["--events", "work.committed"]).await;
    receiver.becomes(Manner::Waits);
    let id = server.create("!write one.txt one").await;
    receiver.until(|heard| heard.len() == 1).await;
    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    receiver.becomes(Manner::Takes);
    receiver.until(|heard| heard.len() == 2).await;
    let heard = receiver.heard();
    assert_eq!((&heard[0].id, &heard[0].body), (&heard[1].id, &heard[1].body));
    assert!(heard[0].at < heard[1].at);
    assert_eq!(payload(&heard[1])["data"]["session_id"], json!(id));
    server.clear().await;
}

/// Commands are waited for on a thread of their own: the receiver answers meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_listed_tried_retried_and_removed() {
    let server = Server::start_in(Place::with(LOOPBACK));
    let (status, problem) = server.post("/hooks", json!({"url": "http://169.254.169.254/latest"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("hook_url_unusable")));
    let (_, problem) = server.post("/hooks", json!({"url": "https://a.test/", "events": ["all"]})).await;
    assert_eq!(problem["code"], "hook_event_unknown");
    let receiver = told_by(&server, &["--events", "turn.ended"]).await;
    let url = receiver.url.as_str();
    assert_eq!(server.place.say(&["hooks", "test", url]), "it answered 204\n");
    assert_eq!(of(&receiver.heard(), "hook.test")["type"], "hook.test");

    receiver.becomes(Manner::Answers(StatusCode::GONE));
    assert!(!server.place.run(&["hooks", "test", url]).status.success());
    let id = server.create("!say done").await;
    receiver.until(|heard| kinds(heard).contains("turn.ended")).await;
    let list = async || server.get("/hooks").await.1["items"][0].clone();
    while list().await["disabled"].is_null() {}
    let hook = list().await;
    assert_eq!(
        (&hook["dead"], &hook["waiting"], &hook["events"]),
        (&json!(1), &json!(0), &json!(["turn.ended"]))
    );
    let said = server.place.say(&["hooks", "list"]);
    assert!(said.contains("disabled: it answered 410") && !said.contains("whsec_"), "{said}");
    let said = server.place.say(&["hooks", "deliveries", url, "--dead"]);
    assert!(said.contains(&id) && said.contains("given up") && said.contains("1 try"), "{said}");

    receiver.becomes(Manner::Takes);
    let said = server.place.say(&["hooks", "retry", url]);
    assert!(said.ends_with("one delivery is tried again.\n"), "{said}");
    let count = |heard: &[Heard]| heard.iter().filter(|heard| heard.id.starts_with(&id)).count();
    receiver.until(|heard| count(heard) == 2).await;
    let path = format!("/hooks/{}", hook["id"].as_str().unwrap());
    let (status, problem) = server.post(&format!("{path}/retry"), json!({"delivery": 999})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("delivery_not_found")));
    let (_, audit) = server.get("/audit?action=retry_hook").await;
    assert_eq!(audit["items"][0]["subject"], hook["id"], "{audit}");

    server.place.say(&["hooks", "remove", url]);
    let (_, audit) = server.get("/audit?action=add_hook").await;
    let detail = audit["items"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, format!("{} turn.ended", url.trim_end_matches("/told")), "without its path");
    let (_, audit) = server.get("/audit?action=remove_hook").await;
    assert_eq!((&audit["items"][0]["subject"], &audit["items"][0]["detail"]), (&hook["id"], &json!(detail)));
    assert_eq!(server.get("/hooks").await.1, json!({"items": []}));
    let (status, problem) = server.get(&format!("{path}/deliveries")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("hook_not_found")));
    server.clear().await;
}

/// Each of several servers tells what is due, and none tells what another does.
#[tokio::test]
async fn of_several_servers_one_tells() {
    let mut one = Place::on_postgres();
    one.environment.extend([SHARED_KEY, ("LAMPLIGHT_HOOKS_ALLOW_PRIVATE", "127.0.0.1")]);
    let other = one.beside();
    let (one, other) = (Server::start_in(one), Server::start_in(other));
    let receiver = told_by(&one, &[]).await;
    let ids = [one.create("!write a.txt one").await, other.create("!write b.txt two").await];
    receiver.until(|heard| heard.len() >= 6).await;
    let hook = one.get("/hooks").await.1["items"][0].clone();
    let path = format!("/hooks/{}/deliveries", hook["id"].as_str().unwrap());
    let all = async || other.get(&path).await.1["items"].as_array().unwrap().clone();
    while all().await.iter().any(|delivery| delivery["status"] != "delivered") {}
    let deliveries = all().await;
    assert!(deliveries.iter().all(|delivery| delivery["tries"] == 1), "{deliveries:?}");
    let mut told: Vec<String> = receiver.heard().into_iter().map(|heard| heard.id).collect();
    told.sort();
    let mut wanted: Vec<String> = deliveries
        .iter()
        .map(|delivery| format!("{}-{}", delivery["session_id"].as_str().unwrap(), delivery["seq"]))
        .collect();
    wanted.sort();
    assert_eq!(told, wanted);
    assert!(ids.iter().all(|id| told.iter().filter(|told| told.starts_with(id.as_str())).count() == 3));
    one.clear().await;
}
