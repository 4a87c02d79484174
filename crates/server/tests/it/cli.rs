//! The commands as a person types them.

use crate::support::{PATIENCE, Place, Server};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Output, Stdio};

const TASK: &str = "!say I write it.\n!write greeting.txt hello\n!run cat greeting.txt";

#[tokio::test]
async fn a_task_is_run_looked_at_and_merged() {
    let server = Server::start();
    let place = &server.place;
    let output = place.run(&["run", "--title", "Greet", TASK]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        "Greet",
        "I write it.",
        "✓",
        "✔ committed",
        "1 file +1 −0",
        "done · 2 steps",
        "branch  lamplight/greet-",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "colours without a terminal:\n{text}");

    let list: Value = serde_json::from_str(&place.say(&["sessions", "--json"])).unwrap();
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let end = &id[20..].to_lowercase();
    assert!(place.say(&["sessions"]).contains(&id[18..]));
    assert!(place.say(&["show", end]).contains("branch      lamplight/greet-"));
    let view: Value = serde_json::from_str(&place.say(&["show", end, "--json"])).unwrap();
    assert_eq!(view["phase"], "done");
    let diff = place.say(&["diff", end]);
    assert!(diff.contains("greeting.txt · added +1 −0") && diff.contains("+hello"), "{diff}");
    let log = place.say(&["logs", end, "--json"]);
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        entries.iter().enumerate().all(|(n, entry)| entry["seq"].as_u64() == Some(n as u64 + 1)),
        "{log}"
    );
    let later = place.say(&["logs", end, "--json", "--after", "5"]);
    assert!(later.starts_with("{\"seq\":6,"), "{later}");
    assert!(place.say(&["logs", end]).contains("I write it."));
    assert!(place.say(&["merge", end]).starts_with("Merged into main as "));
    assert_eq!(place.git(&["show", "main:greeting.txt"]), "hello");
    assert!(place.say(&["end", end]).starts_with("Ended"));
    assert!(place.say(&["archive", end]).starts_with("Archived"));
    assert!(place.say(&["sessions"]).starts_with("No sessions."));
    // Named by the end of its id all the same; a directory is named as people name one.
    assert!(place.say(&["sessions", "--archived", "--repository", "."]).contains(&id[18..]));
    assert_eq!(place.say(&["archive", end, "--undo"]), "It is in the list again.\n");
    assert!(place.say(&["sessions"]).contains(&id[18..]));
    server.clear().await;
}

#[tokio::test]
async fn a_model_is_chosen_between_turns_and_the_default_one_is_configured() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let config = config.replace("[agent]\n", "[agent]\nmodel = 'scripted-small'\n");
    std::fs::write(place.path("lamplight.toml"), config).unwrap();
    let server = Server::start_in(place);
    let place = &server.place;
    let id = server.create("!say hello").await;
    server.until(&id, "work_committed", 1).await;
    assert_eq!(server.view(&id).await["model"], "scripted-small");
    assert!(place.say(&["model", &id]).contains("scripted-small  scripted-small  (chosen)"));
    assert_eq!(place.say(&["model", &id, "scripted-large"]), "The next turns are with scripted-large.\n");
    let unknown = place.run(&["model", &id, "other"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("scripted-small"));
    let (_, _) = server.post(&format!("/sessions/{id}/prompts"), serde_json::json!({"text": "!hang"})).await;
    server.until(&id, "turn_started", 2).await;
    let during = place.run(&["model", &id, "scripted-small"]);
    assert!(!during.status.success() && String::from_utf8_lossy(&during.stderr).contains("Stop the turn"));
    server.clear().await;
}

#[tokio::test]
async fn json_lines_are_the_session_its_log_and_the_session_again() {
    let server = Server::start();
    let text = server.place.say(&["run", "--json", TASK]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["session"]["turn"], 0);
    assert_eq!(lines[1]["event"]["type"], "session_created");
    assert_eq!(lines.last().unwrap()["session"]["phase"], "done");
    server.clear().await;
}

#[tokio::test]
async fn what_went_wrong_is_the_exit_code() {
    let server = Server::start();
    let output = server.place.run(&["run", "!call 5 shell ls"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("stuck: "), "{text}");
    let output = server.place.run(&["run", "!say x\n!exit 3"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let output = server.place.run(&["show", "nothing"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lamplight sessions"));
    let output = server.place.run(&["run", "--agent", "goose", "x"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not installed") && error.contains("lamplight agents install goose"), "{error}");
    server.clear().await;
}

#[tokio::test]
async fn a_task_is_over_when_the_repositorys_own_checks_are() {
    for (command, code, last) in
        [("true", 0, "done · "), ("false", 1, "stuck: the repository's own checks failed")]
    {
        let toml = format!("[check]\nrun = '{command}'\n");
        let server = Server::start_in(crate::checks::place(&[(".lamplight.toml", &toml)]));
        let run = Running::start(&server.place, "!write a.txt one");
        let output = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(|| run.end()));
        let output = output.await.expect("it comes to its end").unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(last), "{last:?} is not in:\n{text}");
        server.clear().await;
    }
}

/// A `run` whose output is read line by line.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(place: &Place, prompt: &str) -> Self {
        let mut child =
            place.command(&["run", prompt]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn read_to(&mut self, text: &str) {
        // What the prompt says is shown with it; what the agent does is not.
        let mut lines = self.lines.by_ref().map_while(Result::ok).filter(|line| !line.contains('!'));
        let found = lines.find(|line| line.contains(text));
        assert!(found.is_some(), "{text:?} never came");
    }

    fn interrupt(&self) {
        let status = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    fn end(mut self) -> Output {
        let rest: String = self.lines.by_ref().map_while(Result::ok).map(|line| line + "\n").collect();
        let mut output = self.child.wait_with_output().unwrap();
        output.stdout = rest.into_bytes();
        output
    }
}

#[tokio::test]
async fn one_interrupt_stops_the_turn_and_two_leave_it_running() {
    let server = Server::start();
    let mut stopped = Running::start(&server.place, "!run true\n!hang");
    stopped.read_to("✓");
    stopped.interrupt();
    let output = stopped.end();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stdout));

    let mut left = Running::start(&server.place, "!run true\n!hang");
    left.read_to("✓");
    left.interrupt();
    left.read_to("Ctrl-C again");
    left.interrupt();
    let output = left.end();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("in the background: lamplight logs -f "), "{text}");
    let list: Value = serde_json::from_str(&server.place.say(&["sessions", "--json"])).unwrap();
    assert_eq!(list["items"][0]["phase"], "executing");
    assert_eq!(list["items"][1]["phase"], "paused");
    let id = list["items"][0]["id"].as_str().unwrap();
    assert!(server.place.say(&["stop", id]).contains("being stopped"));
    server.clear().await;
}

#[tokio::test]
async fn who_does_not_wait_for_the_end_of_what_they_stopped_is_told_that_it_is_being_stopped() {
    let server = Server::start();
    let mut impatient = Running::start(&server.place, "!ignore-cancel\n!run true\n!hang");
    impatient.read_to("✓");
    impatient.interrupt();
    let list: Value = serde_json::from_str(&server.place.say(&["sessions", "--json"])).unwrap();
    server.until(list["items"][0]["id"].as_str().unwrap(), "stop_requested", 1).await;
    impatient.interrupt();
    let output = impatient.end();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("It is being stopped: lamplight logs -f "), "{text}");
    server.clear().await;
}

#[tokio::test]
async fn a_watcher_outlives_the_server() {
    let server = Server::start();
    let mut watching =
        Running::start(&server.place, "!run echo first\n!wait 2000\n!run echo second\n!write a.txt one");
    watching.read_to("first");
    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    let output = watching.end();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.matches("✓ echo second").count(), 1, "{text}");
    assert_eq!(text.matches("✓ echo first").count(), 0, "{text}");
    assert_eq!(text.matches("✔ committed").count(), 1, "{text}");
    server.clear().await;
}

#[tokio::test]
async fn a_server_is_started_where_none_is() {
    // A port that was free a moment ago; nobody else is likely to take it now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::listening(port);
    let output = place.run(&["run", "--detach", "!write a.txt one"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = text.lines().next().unwrap().to_owned();
    let server = Server::found(place);
    server.until(&id, "work_committed", 1).await;
    assert!(server.place.path("data/server.log").exists());
    tokio::time::timeout(PATIENCE, server.clear()).await.unwrap();
}
