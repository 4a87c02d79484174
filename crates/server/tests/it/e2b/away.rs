//! Sessions of a second server, whose sandboxes are of this one: as a person sets it up, and with that server killed at its work.

use super::raw::{Cloud, KEY};
use super::{cloud, until};
use crate::cluster::Cluster;
use crate::kills;
use crate::several::SHARED_KEY;
use crate::support::{Place, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Output, Stdio};

/// What a program prints that is given this on its standard input.
fn told(place: &Place, arguments: &[&str], input: &str) -> Output {
    let mut command = place.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A place whose sandboxes are the cloud's, begun as a person would: a template with its agents in it is made, and named.
fn place_of(cloud: &Cloud) -> Place {
    place_in(cloud, "")
}

/// The same with more of the provider's section.
fn place_in(cloud: &Cloud, more: &str) -> Place {
    let base = &cloud.server.base;
    let place = Place::with(&format!(
        "[sandbox]\nprovider = 'e2b'\n[e2b_provider]\napi_url = '{base}'\nsandbox_url = '{base}'\ntemplate = 'base'\n{more}"
    ));
    let made = told(&place, &["agents", "template", "with-agents", "--json"], KEY);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let path = place.path("lamplight.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let named = format!("template = {}\n", made["template"]);
    std::fs::write(&path, text.replace("template = 'base'\n", &named)).unwrap();
    place
}

async fn sandboxes(cloud: &Cloud) -> Value {
    cloud.control(Method::GET, "/v2/sandboxes?state=running,paused", Value::Null).await.1
}

fn key_of_cloud(place: &Place) -> Value {
    let list: Value = serde_json::from_str(&place.say(&["keys", "list", "--json"])).unwrap();
    list["items"].as_array().unwrap().iter().find(|key| key["name"] == "e2b").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_another_server_run_here_with_a_key_that_it_was_given() {
    let cloud = cloud();
    let server = Server::start_in(place_of(&cloud));
    assert_eq!(sandboxes(&cloud).await, json!([]), "what a template is made in is ended");
    let doctor = || String::from_utf8(server.place.run(&["doctor"]).stdout).unwrap();
    assert_eq!(key_of_cloud(&server.place)["source"], "missing");
    assert!(doctor().contains("there is no key for http"), "{}", doctor());
    let wrong = told(&server.place, &["keys", "set", "e2b"], "not-a-key-1");
    assert!(wrong.status.success());
    let tried = server.place.run(&["keys", "test", "e2b"]);
    assert!(
        !tried.status.success() && String::from_utf8_lossy(&tried.stdout).contains("does not let us"),
        "{tried:?}"
    );
    assert!(doctor().contains("does not let us"), "{}", doctor());

    // What a cloud's sandbox cannot be is refused before there is a session.
    let new = |more: Value| {
        let mut new = json!({"repository": server.place.repository(), "prompt": "!run true"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    for (asked, code) in [
        (json!({"sandbox": {"memory_bytes": 1 << 30}}), "sandbox_limits"),
        (json!({"image": "python"}), "image_not_here"),
    ] {
        let (status, problem) = server.post("/sessions", new(asked)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!(code)), "{problem}");
    }

    // From the next request on, without a restart.
    assert!(told(&server.place, &["keys", "set", "e2b"], KEY).status.success());
    assert!(server.place.say(&["keys", "test", "e2b"]).contains("0 of this installation"));
    assert!(doctor().contains("0 of this installation"), "{}", doctor());
    assert!(!server.place.say(&["keys", "list"]).contains(KEY));
    let id = server.create("!run echo made in a cloud > made.txt; echo here, as $(id -un)").await;
    let log = server.until(&id, "work_committed", 1).await;
    assert!(log.iter().any(|entry| entry["event"].to_string().contains("here, as lamplight")), "{log:?}");
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    assert_eq!(server.place.git(&["show", &format!("{branch}:made.txt")]), "made in a cloud");
    let all = sandboxes(&cloud).await;
    assert_eq!(all[0]["metadata"]["lamplight_session"], json!(id), "{all}");
    server.clear().await;
    until("nothing of it is left", async || sandboxes(&cloud).await == json!([])).await;
    cloud.nothing_is_left().await;
}

/// The moments: while its sandbox is made, before the first word, and between two words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_killed_at_its_work_loses_and_doubles_nothing() {
    let cloud = cloud();
    let mut place = place_of(&cloud);
    place.environment.push(("E2B_API_KEY", KEY));
    let mut server = Server::start_in(place);
    let mut reference = None;
    for (round, moment) in (0..).zip(["sandbox_requested", "turn_started", "agent_thought", "agent_spoke"]) {
        let id = server.create(&kills::prompt()).await;
        server.until(&id, moment, 1).await;
        server.signal("KILL");
        server = Server::start_in(server.ended().1);
        server.until(&id, "checkpoint_kept", 1).await;
        kills::check(&server, &id, &mut reference, round).await;
        let ours = sandboxes(&cloud).await;
        assert_eq!(ours.as_array().unwrap().len(), 1, "round {round}: {ours}");
        server.post(&format!("/sessions/{id}/end"), Value::Null).await;
        server.until(&id, "sandbox_destroyed", 1).await;
        until("its sandbox is ended", async || sandboxes(&cloud).await == json!([])).await;
    }
    server.clear().await;
    cloud.nothing_is_left().await;
}

/// Each looks for what nobody claims as soon as it begins, and knows its own sessions alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_with_one_configuration_none_ends_what_the_other_has() {
    let cloud = cloud();
    let mut one = place_in(&cloud, "deployment = 'ours'\n");
    one.cluster = Some(Cluster::start());
    one.environment.extend([("E2B_API_KEY", KEY), SHARED_KEY]);
    let other = one.beside();
    let one = Server::start_in(one);
    let id = one.create("!think first\n!stream 100 100\n!write one.txt one").await;
    one.until(&id, "agent_thought", 1).await;

    // What the other has left behind is ended at its first look.
    std::fs::create_dir_all(other.path("data/e2b")).unwrap();
    std::fs::write(other.path("data/e2b/deployment"), "other").unwrap();
    let left = json!({
        "lamplight_deployment": "ours-other", "lamplight_session": "01JAZZZZZZZZZZZZZZZZZZZZZZ",
        "lamplight_generation": "1"
    });
    let left = cloud.create(json!({"templateID": "base", "metadata": left})).await;
    let other = Server::start_in(other);
    until("what it has left is ended", async || {
        let all = sandboxes(&cloud).await;
        !all.as_array().unwrap().iter().any(|sandbox| sandbox["sandboxID"] == left.id.as_str())
    })
    .await;
    let here = other.create("!write two.txt two").await;
    other.until(&here, "work_committed", 1).await;
    let log = one.until(&id, "work_committed", 1).await;
    let lost = log.iter().filter(|entry| entry["event"]["type"] == "sandbox_lost");
    assert_eq!(lost.count(), 0, "{log:?}");
    other.clear().await;
    one.clear().await;
    until("nothing of them is left", async || sandboxes(&cloud).await == json!([])).await;
    cloud.nothing_is_left().await;
}
