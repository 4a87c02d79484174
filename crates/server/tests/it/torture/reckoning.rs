//! What is to be found afterwards, and the table of it.

use super::clients::{Asked, Body, Client, PROMPTS};
use crate::kills::nothing_is_left;
use crate::support::{PATIENCE, Server};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// From one look to the next; longer than a turn's end takes from its end to its checkpoint.
const LOOK: Duration = Duration::from_secs(1);

/// Of all sessions together.
#[derive(Debug, Default)]
struct Sums {
    accepted: usize,
    unknown: usize,
    prompts: usize,
    answered: usize,
    told: usize,
    events: usize,
    turns: usize,
    sandboxes: usize,
    lost: usize,
    commits: usize,
    artifacts: usize,
    tokens: u64,
    micros: u64,
}

pub(super) async fn reckon(one: &Server, other: &Server, asked: &[Asked]) {
    let mut sums = Sums::default();
    join_all(asked.iter().map(|asked| settled(one, &asked.session))).await;
    for asked in asked {
        session(one, other, asked, &mut sums).await;
    }
    let (_, usage) = other.get("/usage?since=1d&by=session").await;
    assert_eq!(usage["total"]["cost"]["micros"], sums.micros, "the ledger: {usage}");
    let mut client = Client::new([one.base.clone(), other.base.clone()], 0);
    for asked in asked {
        let path = format!("/sessions/{}/end", asked.session);
        client.insist(Method::POST, &path, Body::None).await;
    }
    let ids: Vec<String> = asked.iter().map(|asked| asked.session.clone()).collect();
    until(one, "nothing of sandboxes is left", async || {
        let left = [one, other].map(|server| server.place.path("data/sandboxes"));
        left.iter().all(|path| {
            std::fs::read_dir(path)
                .is_ok_and(|mut entries| entries.all(|entry| !entry.unwrap().path().is_dir()))
        })
    })
    .await;
    for server in [one, other] {
        nothing_is_left(&server.place, &ids);
    }
    table(&sums);
}

/// Waits until nothing is at work in it and nothing waits, or a person is needed; and nothing was written from one look to the next.
async fn settled(server: &Server, id: &str) {
    let last = Mutex::new(Value::Null);
    until(server, id, async || {
        let (status, view) = server.get(&format!("/sessions/{id}")).await;
        let is_over = ["done", "failed", "stuck", "stopped"].iter().any(|phase| view["phase"] == *phase);
        let waits = view["phase"] == "done" && view["queued"] != json!([]);
        let before = last.lock().unwrap().clone();
        *last.lock().unwrap() = view["last_seq"].clone();
        status == StatusCode::OK && is_over && !waits && before == view["last_seq"]
    })
    .await;
}

async fn until(server: &Server, what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(5 * PATIENCE, waiting).await.is_err() {
        let (_, view) = server.get(&format!("/sessions/{what}")).await;
        let entries = log(server, what).await;
        panic!("{what} is not so: {view}\n{}", story(&entries));
    }
}

async fn log(server: &Server, id: &str) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    loop {
        let (_, page) = server.get(&format!("/sessions/{id}/log?after={}&limit=2000", entries.len())).await;
        let new = page["entries"].as_array().cloned().unwrap_or_default();
        if new.is_empty() {
            return entries;
        }
        entries.extend(new);
    }
}

fn story(entries: &[Value]) -> String {
    let told = entries.iter().filter(|entry| entry["event"]["type"] != "agent_spoke");
    told.map(|entry| format!("{}: {}\n", entry["seq"], entry["event"])).collect()
}

/// One session, as its log, the API of both, the repository and the bucket have it.
async fn session(one: &Server, other: &Server, asked: &Asked, sums: &mut Sums) {
    let id = asked.session.as_str();
    let entries = log(one, id).await;
    assert_eq!(entries, log(other, id).await, "{id}: both show the same");
    for (place, entry) in (1..).zip(&entries) {
        assert_eq!(entry["seq"], place, "{id}: seq is contiguous\n{}", story(&entries));
    }
    let view = one.view(id).await;
    let of = |kind: &str| -> Vec<&Value> {
        entries.iter().map(|entry| &entry["event"]).filter(|event| event["type"] == kind).collect()
    };
    prompts(&entries, &view, asked, sums);
    commits(one, &view, &of("work_committed"), &entries);
    for used in of("tokens_used") {
        sums.tokens += used["tokens"]["input"].as_u64().unwrap() + used["tokens"]["output"].as_u64().unwrap();
        sums.micros += used["cost_micros"].as_u64().unwrap_or_default();
    }
    sums.artifacts += artifacts(other, id).await;
    sums.accepted += asked.accepted.len() + 1;
    sums.unknown += asked.unknown;
    sums.events += entries.len();
    sums.turns += of("turn_started").len();
    sums.sandboxes += of("sandbox_created").len();
    sums.lost += of("sandbox_lost").len();
    sums.commits += view["commits"].as_array().unwrap().len();
}

/// Each that is in the log, and all that were accepted are.
fn prompts(entries: &[Value], view: &Value, asked: &Asked, sums: &mut Sums) {
    let mut completed = BTreeMap::<&str, usize>::new();
    let mut otherwise = BTreeMap::<&str, usize>::new();
    let mut running = "";
    for event in entries.iter().map(|entry| &entry["event"]) {
        match event["type"].as_str().unwrap() {
            "prompt_queued" => {
                completed.entry(event["prompt"].as_str().unwrap()).or_default();
            }
            "turn_started" => running = event["prompt"].as_str().unwrap(),
            "turn_ended" if event["outcome"]["how"] == "completed" => {
                *completed.get_mut(running).unwrap() += 1;
            }
            "turn_ended" => *otherwise.entry(running).or_default() += 1,
            _ => {}
        }
    }
    for accepted in &asked.accepted {
        assert!(completed.contains_key(accepted.as_str()), "{accepted} was accepted\n{}", story(entries));
    }
    assert!(completed.len() <= PROMPTS, "none came twice\n{}", story(entries));
    for (prompt, times) in &completed {
        let waits = view["queued"].as_array().unwrap().iter().any(|waits| waits["prompt"] == *prompt);
        let is_told = otherwise.contains_key(prompt) || waits && view["phase"] != "done";
        assert!(*times <= 1, "{prompt} is answered once\n{}", story(entries));
        assert!(*times == 1 || is_told, "{prompt}: {view}\n{}", story(entries));
        sums.answered += times;
        sums.told += usize::from(*times == 0);
    }
    sums.prompts += completed.len();
}

/// Those of the log are those of the branch, in this order.
fn commits(server: &Server, view: &Value, committed: &[&Value], entries: &[Value]) {
    let of_log: Vec<&Value> =
        committed.iter().map(|event| &event["commit"]["id"]).filter(|id| id.is_string()).collect();
    let of_view: Vec<&Value> =
        view["commits"].as_array().unwrap().iter().map(|commit| &commit["id"]).collect();
    assert_eq!(of_view, of_log, "{}", story(entries));
    if of_log.is_empty() {
        return;
    }
    let branch = view["branch"].as_str().unwrap();
    let listed = server.place.git(&["rev-list", "--reverse", &format!("main..{branch}")]);
    let of_branch: Vec<&str> = listed.lines().collect();
    assert_eq!(
        of_branch,
        of_log.iter().map(|id| id.as_str().unwrap()).collect::<Vec<_>>(),
        "{}",
        story(entries)
    );
}

/// Each can be had; how many there are.
async fn artifacts(server: &Server, id: &str) -> usize {
    let (_, list) = server.get(&format!("/sessions/{id}/artifacts")).await;
    let items = list["items"].as_array().unwrap();
    for item in items {
        let path = format!("/api/v1/attachments/{}", item["id"].as_str().unwrap());
        let answer = server.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{item}");
        assert!(answer.text().await.unwrap().starts_with("out "), "{item}");
    }
    items.len()
}

fn table(sums: &Sums) {
    let Sums {
        accepted,
        unknown,
        prompts,
        answered,
        told,
        events,
        turns,
        sandboxes,
        lost,
        commits,
        artifacts,
        ..
    } = sums;
    println!("| what | how many |\n|---|---|");
    for (what, count) in [
        ("prompts accepted", accepted),
        ("requests without an answer", unknown),
        ("prompts in the logs", prompts),
        ("answered, each once", answered),
        ("not answered, and a person was told", told),
        ("events, without a gap, the same at both", events),
        ("turns begun", turns),
        ("sandboxes made", sandboxes),
        ("sandboxes lost", lost),
        ("commits, the same in logs and branches", commits),
        ("artifacts, all there", artifacts),
    ] {
        println!("| {what} | {count} |");
    }
    println!("| tokens counted, the same in logs and the ledger | {} |", sums.tokens);
    println!("| left of sandboxes, processes, mounts, cgroups | 0 |");
}
