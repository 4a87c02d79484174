//! Sessions whose sandbox begins with an image, as a person makes and uses them.

use crate::support::{Place, Server, scripted_agent, system};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TASK: &str = "!run cat /etc/os-release\n!write a.txt b";

/// As much of a system as a session needs, of this machine's programs: a shell, git, and what a script here uses.
fn build(at: &Path) {
    let core = Command::new("git").arg("--exec-path").output().unwrap();
    let core = PathBuf::from(String::from_utf8(core.stdout).unwrap().trim());
    let programs = ["cat", "cp", "find", "git", "grep", "mkdir", "mktemp", "mv", "rm", "sh"];
    let programs = [&system::found(programs)[..], &[core.join("git-remote-http")]].concat();
    system::copy(at, &programs, &[scripted_agent()]);
}

fn with_image() -> Place {
    let place = Place::new();
    build(&place.path("tiny"));
    let made = place.say(&["image", "add", "tiny", place.path("tiny").to_str().unwrap()]);
    assert!(made.starts_with("tiny ") && made.contains(" MB in "), "{made}");
    place
}

/// What a session that ends well said.
fn run(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn images_are_made_listed_and_removed() {
    let place = with_image();
    let list: Value = serde_json::from_str(&place.say(&["image", "list", "--json"])).unwrap();
    let image = &list["items"][0];
    assert_eq!(
        (&image["name"], &image["sessions"], &image["left_out"]),
        (&json!("tiny"), &json!(0), &json!(0))
    );
    assert!(place.say(&["image", "list"]).contains(&image["digest"].as_str().unwrap()[..12]));
    assert_eq!(place.say(&["image", "remove", "tiny"]), "");
    assert_eq!(place.say(&["image", "list"]), "");

    let check = |arguments: &[&str], why: &str| {
        let output = place.run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(why), "{arguments:?}: {error}");
    };
    check(&["image", "remove", "tiny"], "there is no image tiny");
    check(&["image", "add", "host", "debian"], "is no name of an image");
    check(&["image", "add", "a", "ubuntu"], "names no registry");
    check(&["image", "add", "a", "./nothing"], "there is no ./nothing");
    check(&["image", "add", "a", "lamplight.toml"], "names no registry");
    let mut without = place.command(&["image", "add", "a", "debian"]);
    let output = without.env("PATH", "/nowhere").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("apt-get install mmdebstrap"), "{error}");
}

#[tokio::test]
async fn a_session_runs_on_the_image_that_it_asks_for() {
    let server = Server::start_in(with_image());
    let place = &server.place;
    let text = run(place, &["run", "--json", "--image", "tiny", TASK]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let image = &lines[1]["event"]["spec"]["image"];
    assert_eq!(image["name"], "tiny");
    let session = &lines.last().unwrap()["session"];
    assert_eq!((&session["phase"], &session["image"]), (&json!("done"), image), "{text}");
    assert!(text.contains("ID=tiny"), "{text}");
    let id = session["id"].as_str().unwrap();
    let digest = &image["digest"].as_str().unwrap()[..12];
    assert!(place.say(&["show", id]).contains(&format!("image       tiny ({digest})")));

    let on_host = run(place, &["run", "--json", "--image", "host", TASK]);
    assert!(!on_host.contains("ID=tiny") && on_host.contains(r#""image":null"#), "{on_host}");

    let output = place.run(&["run", "--image", "other", TASK]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(r#"there is no image "other"; there is tiny"#), "{error}");
    assert!(error.contains("lamplight image add other SOURCE"), "{error}");

    assert!(place.say(&["image", "remove", "tiny"]).contains("1 session on them"));
    place.say(&["end", id]);
    server.clear().await;
}

/// A fork's files are on top of its origin's image, whatever the name means by then; and so is what a setup made.
#[tokio::test]
async fn forks_and_setups_are_on_the_same_image() {
    let place = with_image();
    fs::write(
        place.repository().join(".lamplight.toml"),
        "[setup]\nrun = 'cat /etc/os-release > made.txt'\n",
    )
    .unwrap();
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "Set up"]);
    let server = Server::start_in(place);
    let place = &server.place;
    let view = |text: &str| -> Value {
        let last = text.lines().last().unwrap();
        serde_json::from_str::<Value>(last).unwrap()["session"].clone()
    };
    let on_image = run(place, &["run", "--json", "--image", "tiny", "!run cat made.txt"]);
    assert!(on_image.contains(r#""text":"ID=tiny\n""#), "{on_image}");
    let on_host = run(place, &["run", "--json", "!run cat made.txt"]);
    assert!(!on_host.contains("ID=tiny"), "what was made on an image is not for the machine: {on_host}");

    let origin = view(&on_image);
    let id = origin["id"].as_str().unwrap();
    server.until(id, "checkpoint_kept", 1).await;
    place.say(&["image", "remove", "tiny"]);
    let forked = run(place, &["fork", "--json", id, "!run cat /etc/os-release"]);
    assert!(forked.contains(r#""text":"ID=tiny\n""#), "{forked}");
    assert_eq!(view(&forked)["image"], origin["image"]);
    let other = json!({"fork": {"session": id}, "prompt": "x", "image": "host"});
    let (status, problem) = server.post("/sessions", other).await;
    assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("image_of_a_fork")), "{problem}");
    server.clear().await;
}

#[tokio::test]
async fn a_deployment_has_a_default() {
    let place = with_image();
    let file = place.path("lamplight.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}[sandbox]\nimage = 'tiny'\n")).unwrap();
    let server = Server::start_in(place);
    assert!(run(&server.place, &["run", "--json", TASK]).contains("ID=tiny"));
    assert!(!run(&server.place, &["run", "--json", "--image", "host", TASK]).contains("ID=tiny"));
    server.clear().await;
}
