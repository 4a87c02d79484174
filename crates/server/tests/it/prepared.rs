//! A repository's own setup is done once for each content of what it depends on, and new sessions start with what it makes.

use crate::support::{Place, Server};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Makes something that is another each time, where git does not look.
const SETUP: &str = "[setup]\nrun = '''\nmkdir -p deps ~/cache\nhead -c 8 /dev/urandom | od -An -tx1 > deps/id\n\
                     cp deps/id ~/cache/id\n'''\ninputs = ['lock']\n";
/// Shows what is there.
const LOOK: &str = "!run cat deps/id > seen.txt; cmp deps/id ~/cache/id && cat readme.txt lock >> seen.txt";

/// Shows what is newer, what the clone was made as, and which branches it has.
const WHERE_FROM: &str = "!run cat newer.txt > seen.txt; grep -o 'from lamplight/prepared' .git/logs/HEAD | cut -d' ' -f2 | sort -u >> seen.txt; \
                          git branch >> seen.txt";

fn place(setup: &str) -> Place {
    let place = Place::new();
    for (name, content) in [(".lamplight.toml", setup), ("lock", "1\n"), (".gitignore", "deps\n")] {
        fs::write(place.repository().join(name), content).unwrap();
    }
    commit(&place);
    place
}

fn commit(place: &Place) {
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "More"]);
}

/// Lets a session look; the id that it saw, the rest of it, and its log.
async fn look(server: &Server) -> (String, String, Vec<Value>) {
    let id = server.create(LOOK).await;
    let log = server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    assert_eq!(view["phase"], "done", "{view}");
    let branch = view["branch"].as_str().unwrap();
    let seen = server.place.git(&["show", &format!("{branch}:seen.txt")]);
    let (made, rest) = seen.split_once('\n').unwrap();
    let changed = server.place.git(&["diff", "--name-only", "main", branch]);
    assert_eq!(changed, "seen.txt");
    (made.to_owned(), rest.to_owned(), log)
}

fn events<'a>(log: &'a [Value], kind: &str) -> Vec<&'a Value> {
    log.iter().map(|entry| &entry["event"]).filter(|event| event["type"] == kind).collect()
}

fn layers(place: &Place) -> usize {
    fs::read_dir(place.path("data/prepared")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn what_a_setup_makes_is_made_once_for_what_it_depends_on() {
    let server = Server::start_in(place(SETUP));
    let (first, _, log) = look(&server).await;
    assert_eq!(events(&log, "setup_begun")[0]["command"], "mkdir -p deps ~/cache");
    assert_eq!(events(&log, "setup_ended").len(), 1, "{log:?}");

    fs::write(server.place.repository().join("readme.txt"), "newer\n").unwrap();
    commit(&server.place);
    let (second, rest, log) = look(&server).await;
    assert_eq!((second, rest.as_str()), (first.clone(), "newer\n1"), "the same, on the newest commit");
    assert_eq!(events(&log, "setup_begun").len(), 0);

    for lock in 2..6 {
        fs::write(server.place.repository().join("lock"), format!("{lock}\n")).unwrap();
        commit(&server.place);
        let (other, rest, _) = look(&server).await;
        assert_ne!(other, first);
        assert_eq!(rest, format!("newer\n{lock}"));
    }
    assert_eq!(layers(&server.place), 3, "those that are used");
    server.clear().await;
}

/// Asks until what a session would wait for is there.
async fn ahead(server: &Server, repository: &Path) {
    loop {
        let asked = json!({ "repository": repository, "prompt": "" });
        let (status, answer) = server.post("/sessions/ahead", asked).await;
        assert_eq!(status, 202, "{answer}");
        match answer["state"].as_str().unwrap() {
            "ready" => return,
            state => assert_eq!(state, "begun"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_made_ahead_is_what_the_session_starts_from() {
    let server = Server::start_in(place(SETUP));
    ahead(&server, &server.place.repository()).await;
    let (_, list) = server.get("/sessions").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 0, "nobody has asked for a session");
    let (first, _, log) = look(&server).await;
    assert_eq!(events(&log, "setup_begun").len(), 0, "{log:?}");
    let (second, ..) = look(&server).await;
    assert_eq!((first, layers(&server.place)), (second, 1));
    server.clear().await;
}

#[tokio::test]
async fn a_clone_that_is_made_ahead_is_brought_up_to_date() {
    let server = Server::start_in(Place::new());
    ahead(&server, &server.place.repository()).await;
    fs::write(server.place.repository().join("newer.txt"), "newer\n").unwrap();
    commit(&server.place);
    let id = server.create(WHERE_FROM).await;
    server.until(&id, "work_committed", 1).await;
    let view = server.view(&id).await;
    let branch = view["branch"].as_str().unwrap();
    let seen = server.place.git(&["show", &format!("{branch}:seen.txt")]);
    assert_eq!(seen, format!("newer\nlamplight/prepared\n* {branch}"));
    assert_eq!(server.place.git(&["diff", "--name-only", "main", branch]), "seen.txt");
    assert_eq!(layers(&server.place), 1);
    server.clear().await;
}

/// Without a setup it is the clone, and nobody has to ask for it: it is there once for all sessions, and no checkpoint has it again.
#[tokio::test]
async fn what_is_large_is_cloned_once_and_others_start_from_it() {
    let server = Server::start_in(Place::new());
    let small = server.create("!write one.txt one").await;
    server.until(&small, "checkpoint_kept", 1).await;
    assert_eq!(layers(&server.place), 0, "as quickly cloned as brought up to date");

    // Ten megabytes that do not compress.
    let noise = std::iter::repeat_with(|| fastrand::u8(..)).take(10_000_000).collect::<Vec<_>>();
    fs::write(server.place.repository().join("noise"), noise).unwrap();
    commit(&server.place);
    let first = server.create("!write one.txt one").await;
    server.until(&first, "checkpoint_kept", 1).await;
    assert_eq!(layers(&server.place), 1);
    let copied = server.place.path("data/layers").join(format!("{first}-1")).join("root").join("workspace");
    assert!(copied.join("one.txt").exists(), "what the session wrote is kept");
    assert!(!copied.join("readme.txt").exists(), "what it started from is not copied");

    fs::write(server.place.repository().join("newer.txt"), "newer\n").unwrap();
    commit(&server.place);
    let second = server.create(WHERE_FROM).await;
    server.until(&second, "work_committed", 1).await;
    let branch = server.view(&second).await["branch"].as_str().unwrap().to_owned();
    let seen = server.place.git(&["show", &format!("{branch}:seen.txt")]);
    assert_eq!(seen, format!("newer\nlamplight/prepared\n* {branch}"));
    assert_eq!(layers(&server.place), 1);

    // Nobody has used it for a year when the next is made.
    let file = fs::read_dir(server.place.path("data/prepared")).unwrap().next().unwrap().unwrap().path();
    let mut layer: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    layer["used_at"] = json!(layer["used_at"].as_i64().unwrap() - 365 * 24 * 60 * 60 * 1000);
    fs::write(&file, layer.to_string()).unwrap();
    server.place.git(&["branch", "other"]);
    let asked =
        json!({ "repository": server.place.repository(), "base": "other", "prompt": "!write two.txt two" });
    let (status, third) = server.post("/sessions", asked).await;
    assert!(status.is_success(), "{third}");
    server.until(third["id"].as_str().unwrap(), "work_committed", 1).await;
    assert_eq!(layers(&server.place), 1);
    assert!(!file.exists());
    server.clear().await;
}

#[tokio::test]
async fn nothing_is_made_ahead_of_what_could_not_be_created() {
    let server = Server::start_in(Place::new());
    let asked = json!({ "repository": "/nowhere", "prompt": "" });
    let (status, answer) = server.post("/sessions/ahead", asked).await;
    assert_eq!((status.as_u16(), &answer["state"]), (202, &json!("no")));
    assert!(answer["why"].as_str().unwrap().contains("/nowhere"), "{answer}");
    assert_eq!(layers(&server.place), 0);
}

#[tokio::test]
async fn two_sessions_at_once_wait_for_one_setup() {
    let slow = SETUP.replace("mkdir", "sleep 1\nmkdir");
    let server = Server::start_in(place(&slow));
    let (one, other) = tokio::join!(look(&server), look(&server));
    assert_eq!(one.0, other.0);
    assert_eq!(layers(&server.place), 1);
    server.clear().await;
}

#[tokio::test]
async fn a_setup_that_fails_is_told_and_the_session_starts_without() {
    for (setup, why) in [
        ("[setup]\nrun = '''\necho why it fails >&2\nfalse\necho never'''\n", "why it fails"),
        ("[setup]\nrun = 1\n", ".lamplight.toml: "),
        ("[setup]\nrun = '''\nsleep 600\necho never'''\ntimeout_s = 1\n", "1 s"),
    ] {
        let server = Server::start_in(place(setup));
        let id = server.create("!run test ! -e deps\n!write a.txt one").await;
        let log = server.until(&id, "work_committed", 1).await;
        let failure = events(&log, "setup_ended")[0]["failure"].as_str().unwrap();
        assert!(failure.contains(why) && !failure.contains("never"), "{failure}");
        assert_eq!(server.view(&id).await["phase"], "done");
        assert_eq!(layers(&server.place), 0);
        server.clear().await;
    }
}

#[tokio::test]
async fn a_server_that_is_killed_in_a_setup_leaves_nothing_of_it() {
    let slow = SETUP.replace("mkdir", "sleep 1\nmkdir");
    let server = Server::start_in(place(&slow));
    let id = server.create(LOOK).await;
    server.until(&id, "setup_begun", 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    let log = server.until(&id, "work_committed", 1).await;
    assert_eq!((events(&log, "setup_begun").len(), events(&log, "setup_ended").len()), (2, 1));
    assert_eq!(layers(&server.place), 1);
    let sessions = |place: &Place| {
        let all = fs::read_dir(place.path("data/sandboxes")).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path: &std::path::PathBuf| is_session(path)).count()
    };
    assert_eq!(sessions(&server.place), 2, "the session's, and what it started from");
    server.clear().await;
}

fn is_session(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() == 26)
}
