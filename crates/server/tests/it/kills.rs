//! The server is killed at random moments of a session with a real agent process in a real sandbox, and started again. The
//! session ends as if nothing had happened: one turn, one commit, every word once.

use crate::support::{Place, Server, find_pid, sandbox_records};
use lamplight_domain::session::Session;
use lamplight_domain::{Entry, Event, SessionId};
use lamplight_server::http::resources::SessionView;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// `LAMPLIGHT_KILL_ROUNDS` asks for more, and `LAMPLIGHT_KILL_SEED` for the moments of a run that has printed it.
const ROUNDS: u64 = 50;
/// The session below takes about this long; the moment is drawn from a little more.
const SESSION_MS: u64 = 600;
const WORDS: u64 = 30;

pub(crate) fn prompt() -> String {
    format!(
        "!think first\n!run echo one > one.txt\n!stream {WORDS} 10\n!write two.txt two\n!run sleep 0.1\n!say done."
    )
}

#[tokio::test]
async fn a_server_killed_at_any_moment_loses_and_doubles_nothing() {
    loses_and_doubles_nothing(Place::new(), ROUNDS).await;
}

/// The log is on PostgreSQL, which is killed with every third server.
#[tokio::test]
async fn a_server_killed_at_any_moment_loses_and_doubles_nothing_on_postgresql() {
    loses_and_doubles_nothing(Place::on_postgres(), ROUNDS / 5).await;
}

async fn loses_and_doubles_nothing(place: Place, rounds: u64) {
    let asked = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let rounds = asked("LAMPLIGHT_KILL_ROUNDS").unwrap_or(rounds);
    let seed = asked("LAMPLIGHT_KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("LAMPLIGHT_KILL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::start_in(place);
    // What is said where nobody is killed.
    let untouched = server.create(&prompt()).await;
    server.until(&untouched, "checkpoint_kept", 1).await;
    let mut reference = None;
    check(&server, &untouched, &mut reference, 0).await;
    end(&server, &untouched).await;
    let mut table: BTreeMap<String, (u64, Duration)> = BTreeMap::new();
    let mut ids = vec![untouched];
    for round in 1..=rounds {
        let id = server.create(&prompt()).await;
        ids.push(id.clone());
        tokio::time::sleep(Duration::from_millis(random.u64(0..SESSION_MS + SESSION_MS / 3))).await;
        server.signal("KILL");
        let mut place = server.ended().1;
        if let Some(cluster) = place.cluster.as_mut().filter(|_| round % 3 == 2) {
            cluster.crash();
            cluster.go_on();
        }
        let killed = measure();
        server = Server::start_in(place);
        let at = last_boundary(&server, &id).await;
        server.until(&id, "checkpoint_kept", 1).await;
        let row = table.entry(at).or_default();
        *row = (row.0 + 1, row.1.max(killed.elapsed()));
        check(&server, &id, &mut reference, round).await;
        end(&server, &id).await;
    }
    println!(
        "{rounds} kills; the last boundary in the log when the server died, how often, the longest until the work was committed:"
    );
    for (at, (times, longest)) in table {
        println!("{at:>24} {times:>4} {:>7} ms", longest.as_millis());
    }
    nothing_is_left(&server.place, &ids);
}

async fn end(server: &Server, id: &str) {
    server.post(&format!("/sessions/{id}/end"), Value::Null).await;
    server.until(id, "sandbox_destroyed", 1).await;
}

/// The session as its log, the API and the repository have it.
pub(crate) async fn check(server: &Server, id: &str, reference: &mut Option<String>, round: u64) {
    let (_, page) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    let entries: Vec<Entry> = serde_json::from_value(page["entries"].clone()).unwrap();
    for (place, entry) in (1..).zip(&entries) {
        assert_eq!(entry.seq.0, place, "round {round}: seq is contiguous");
    }
    let count = |is: fn(&Event) -> bool| entries.iter().filter(|entry| is(&entry.event)).count();
    let story = || entries.iter().map(|entry| format!("{:?}", entry.event)).collect::<Vec<_>>().join("\n");
    assert_eq!(
        count(|event| matches!(event, Event::TurnStarted { .. })),
        1,
        "round {round}: sent once\n{}",
        story()
    );
    assert_eq!(
        count(|event| matches!(event, Event::TurnEnded { .. })),
        1,
        "round {round}: ended once\n{}",
        story()
    );
    assert_eq!(
        count(|event| matches!(event, Event::WorkCommitted { commit: Some(_), .. })),
        1,
        "round {round}: committed once\n{}",
        story()
    );
    let said: String = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::AgentSpoke { text, .. } | Event::AgentThought { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        &said,
        reference.get_or_insert_with(|| said.clone()),
        "round {round}: every word once\n{}",
        story()
    );

    let session = Session::replay(&entries).unwrap();
    let id_of: SessionId = id.parse().unwrap();
    let replayed = serde_json::to_value(SessionView::from(session.view(id_of))).unwrap();
    let view = server.view(id).await;
    assert_eq!(replayed, view, "round {round}: as replayed");
    assert_eq!(view["phase"], "done", "round {round}");
    let branch = view["branch"].as_str().unwrap();
    let place = &server.place;
    assert_eq!(
        place.git(&["rev-list", "--count", &format!("main..{branch}")]),
        "1",
        "round {round}: one commit"
    );
    assert_eq!(place.git(&["show", &format!("{branch}:two.txt")]), "two");
}

/// The files are as they were at that moment, and the prompt is asked again by itself: nothing has left the sandbox that a second time could do
/// twice.
#[tokio::test]
async fn a_sandbox_killed_in_the_middle_of_a_tool_call_is_replaced_with_its_files() {
    let server = Server::start();
    let sleeps = "!run test -e two.txt || { echo two > two.txt; sleep 600; }";
    let id = server.create(&format!("!write one.txt one\n{sleeps}\n!say done.")).await;
    let file = format!("/api/v1/sessions/{id}/files/content?path=two.txt");
    server.until(&id, "tool_called", 2).await;
    let is_there = async || server.request(Method::GET, &file).send().await.unwrap().status().is_success();
    while !is_there().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let [record] = &sandbox_records(&server.place.path("data/sandboxes"))[..] else { panic!("one runs") };
    let record: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    let pid = find_pid(&record).unwrap().to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());

    let entries = server.until(&id, "work_committed", 1).await;
    let count = |kind: &str| entries.iter().filter(|entry| entry["event"]["type"] == kind).count();
    assert_eq!((count("sandbox_lost"), count("turn_started"), count("turn_ended")), (1, 2, 1), "{entries:?}");
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    for (name, content) in [("one.txt", "one"), ("two.txt", "two")] {
        assert_eq!(server.place.git(&["show", &format!("{branch}:{name}")]), content);
    }
    server.clear().await;
}

/// What the log had come to when the server died.
async fn last_boundary(server: &Server, id: &str) -> String {
    let (_, page) = server.get(&format!("/sessions/{id}/log?after=0&limit=2000")).await;
    let entries = page["entries"].as_array().unwrap();
    let boundary = entries.iter().rev().filter_map(|entry| entry["event"]["type"].as_str());
    let transcript = ["agent_thought", "agent_logged", "input_queued", "plan_changed", "agent_sent"];
    boundary.filter(|name| !transcript.contains(name)).map(str::to_owned).next().unwrap()
}

/// No process, mount or cgroup of this place's sandboxes.
pub(crate) fn nothing_is_left(place: &Place, ids: &[String]) {
    let data = place.path("data");
    let data = data.to_str().unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(data), "a mount is left:\n{mounts}");
    let sandboxes = place.path("data/sandboxes");
    let left: Vec<_> = std::fs::read_dir(&sandboxes)
        .unwrap()
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().is_dir())
        .collect();
    assert!(left.is_empty(), "directories are left: {left:?}");
    for process in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let mounts = std::fs::read_to_string(process.path().join("mountinfo")).unwrap_or_default();
        assert!(
            !mounts.contains(&format!("{data}/sandboxes")),
            "a process is left in a sandbox: {process:?}"
        );
    }
    for id in ids {
        assert_eq!(cgroups_of(id), Vec::<PathBuf>::new(), "a cgroup is left");
    }
}

/// Cgroups of a session's sandboxes, in every hierarchy that there is.
fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let roots =
        mounts.lines().filter(|line| line.contains(" cgroup")).filter_map(|line| line.split(' ').nth(1));
    roots.flat_map(|root| find(Path::new(root), id, 4)).collect()
}

fn find(root: &Path, name: &str, depth: u32) -> Vec<PathBuf> {
    if depth == 0 {
        return Vec::new();
    }
    let below = std::fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let directories = below.filter(|path| path.is_dir());
    let named = |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().contains(name));
    directories
        .flat_map(|path| if named(&path) { vec![path] } else { find(&path, name, depth - 1) })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long the recovery took")]
fn measure() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn locks_that_git_left_behind_do_not_keep_work_from_its_commit() {
    let server = Server::start();
    let id = server
        .create("!write a.txt one\n!run touch .git/HEAD.lock .git/index.lock .git/packed-refs.lock")
        .await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    assert_eq!((&view["phase"], view["commits"].as_array().unwrap().len()), (&"done".into(), 1), "{view}");
    server.clear().await;
}
