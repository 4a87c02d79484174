//! Shells of people beside the agent, through a real server into a real sandbox.

use crate::support::{PATIENCE, Server, Socket};
use futures::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use tokio_tungstenite::tungstenite::Message;

/// Somebody at a terminal, as the page is.
pub(crate) struct Seat {
    socket: Socket,
    /// All that was shown, and where it goes on.
    pub(crate) shown: String,
    next: u64,
}

impl Seat {
    pub(crate) async fn at(server: &Server, session: &str, terminal: &str, from: u64) -> Self {
        let path = format!("/sessions/{session}/terminals/{terminal}/stream?from={from}");
        Self { socket: server.socket(&path).await, shown: String::new(), next: from }
    }

    pub(crate) async fn say(&mut self, keys: &str) {
        self.socket.0.send(Message::binary(keys.as_bytes().to_vec())).await.unwrap();
    }

    /// What the server says in the end; output on the way to it is kept.
    pub(crate) async fn last_word(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(word) = self.step().await {
                    return word;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no last word after {:?}", self.shown))
    }

    pub(crate) async fn until(&mut self, text: &str) {
        let shown = async {
            while !self.shown.contains(text) {
                let word = self.step().await;
                assert!(word.is_none(), "{word:?} before {text:?} in {:?}", self.shown);
            }
        };
        let shown = tokio::time::timeout(PATIENCE, shown).await;
        shown.unwrap_or_else(|_| panic!("{text:?} is not shown in {:?}", self.shown));
    }

    async fn step(&mut self) -> Option<Value> {
        match tokio::time::timeout(PATIENCE, self.socket.0.next()).await.expect("a frame in time") {
            Some(Ok(Message::Binary(frame))) => {
                let (offset, bytes) = frame.split_first_chunk().unwrap();
                assert!(u64::from_be_bytes(*offset) >= self.next);
                self.next = u64::from_be_bytes(*offset) + bytes.len() as u64;
                self.shown += &String::from_utf8_lossy(bytes);
                let ack = json!({"ack": self.next}).to_string();
                self.socket.0.send(Message::text(ack)).await.unwrap();
                None
            }
            Some(Ok(Message::Text(text))) => {
                let word: Value = serde_json::from_str(&text).unwrap();
                (word["control"] != "attached" && word["control"] != "heartbeat").then_some(word)
            }
            other => panic!("{other:?} after {:?}", self.shown),
        }
    }
}

pub(crate) async fn open(server: &Server, session: &str) -> String {
    let path = format!("/sessions/{session}/terminals");
    let (status, terminal) = server.post(&path, json!({"rows": 30, "columns": 90})).await;
    assert_eq!(status, StatusCode::CREATED, "{terminal}");
    assert_eq!(terminal["running"], true, "{terminal}");
    terminal["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_shell_is_where_a_person_expects_it_and_outlives_a_killed_server() {
    let server = Server::start();
    let id = server.create("!write by-agent.txt hello\n!say done").await;
    server.until(&id, "work_committed", 1).await;
    let terminal = open(&server, &id).await;
    let mut seat = Seat::at(&server, &id, &terminal, 0).await;
    seat.say("echo $((6 * 7)) $TERM $HOME $PWD; stty size; whoami; ls; git branch --show-current\r").await;
    let branch = server.view(&id).await["branch"].as_str().unwrap().to_owned();
    seat.until(&branch).await;
    for part in ["42 xterm-256color /home/agent /workspace", "30 90", "agent", "readme.txt"] {
        assert!(seat.shown.contains(part), "{part} is not in {}", seat.shown);
    }
    seat.socket.0.send(Message::text(r#"{"rows":11,"columns":22}"#)).await.unwrap();
    seat.say("stty size; kept=in-memory\r").await;
    seat.until("11 22").await;
    let told = server.until(&id, "terminal_opened", 1).await;
    assert_eq!(told.last().unwrap()["event"]["by"], "Ada");

    server.signal("KILL");
    let (_, place) = server.ended();
    let server = Server::start_in(place);
    let (_, list) = server.get(&format!("/sessions/{id}/terminals")).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let mut again = Seat::at(&server, &id, &terminal, 0).await;
    again.until("42 xterm-256color").await;
    let mut on = Seat::at(&server, &id, &terminal, seat.next).await;
    on.say("echo still $kept\r").await;
    on.until("still in-memory").await;
    assert!(!on.shown.contains("xterm"), "{}", on.shown);
    again.until("still in-memory").await;

    on.say("exit 5\r").await;
    assert_eq!(on.last_word().await, json!({"control": "exited", "exit_code": 5}));
    let (_, list) = server.get(&format!("/sessions/{id}/terminals")).await;
    assert_eq!(list["items"][0]["exit_code"], 5, "{list}");
    let (status, _) = server.delete(&format!("/sessions/{id}/terminals/{terminal}")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let mut gone = Seat::at(&server, &id, &terminal, 0).await;
    let word = gone.last_word().await;
    assert_eq!(
        (&word["control"], &word["code"]),
        (&json!("refused"), &json!("terminal_not_found")),
        "{word}"
    );
    server.clear().await;
}

#[tokio::test]
async fn a_pause_freezes_shells_and_typing_wakes_them() {
    let server = Server::start();
    let id = server.create("!say done").await;
    server.until(&id, "work_committed", 1).await;
    let terminal = open(&server, &id).await;
    let mut seat = Seat::at(&server, &id, &terminal, 0).await;
    seat.say("echo before $((1 + 1))\r").await;
    seat.until("before 2").await;
    server.post(&format!("/sessions/{id}/pause"), Value::Null).await;
    server.until(&id, "sandbox_paused", 1).await;
    // Who only looks wakes nobody.
    let mut looking = Seat::at(&server, &id, &terminal, 0).await;
    let word = looking.last_word().await;
    assert_eq!((&word["control"], &word["code"]), (&json!("refused"), &json!("sandbox_paused")), "{word}");
    assert_eq!(server.view(&id).await["sandbox_state"], "paused");
    seat.say("echo after $((2 + 2))\r").await;
    seat.until("after 4").await;
    server.until(&id, "sandbox_resumed", 1).await;

    // Another one wakes it too; and what is stopped takes the shells with it.
    server.post(&format!("/sessions/{id}/pause"), Value::Null).await;
    server.until(&id, "sandbox_paused", 2).await;
    open(&server, &id).await;
    server.until(&id, "sandbox_resumed", 2).await;
    server.post(&format!("/sessions/{id}/prompts"), json!({"text": "!run sleep 600"})).await;
    server.until(&id, "tool_called", 1).await;
    server.post(&format!("/sessions/{id}/stop"), Value::Null).await;
    let word = seat.last_word().await;
    assert_eq!(word["control"], "exited", "{word}");
    server.clear().await;
    let (status, problem) =
        server.post(&format!("/sessions/{id}/terminals"), json!({"rows": 1, "columns": 1})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("session_ended")), "{problem}");
}

#[tokio::test]
async fn a_flood_is_cut_to_its_newest_and_terminals_are_bounded() {
    let server = Server::start();
    let id = server.create("!say done").await;
    server.until(&id, "work_committed", 1).await;
    let terminal = open(&server, &id).await;
    let mut seat = Seat::at(&server, &id, &terminal, 0).await;
    // Nobody reads it, so most of it is never sent; the shell goes on all the same.
    seat.say("yes | head -c 20000000; touch /tmp/flooded\r").await;
    let mut other = Seat::at(&server, &id, &open(&server, &id).await, 0).await;
    other.say("until [ -e /tmp/flooded ]; do sleep 0.1; done; echo flooded $((3 + 4))\r").await;
    other.until("flooded 7").await;
    let mut late = Seat::at(&server, &id, &terminal, 0).await;
    late.say("echo the end $((4 + 4))\r").await;
    late.until("the end 8").await;
    assert!(late.shown.len() < 2_000_000, "{} bytes", late.shown.len());

    for _ in 2..8 {
        open(&server, &id).await;
    }
    let (status, problem) =
        server.post(&format!("/sessions/{id}/terminals"), json!({"rows": 1, "columns": 1})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("too_many_terminals")), "{problem}");
    // One that has ended makes room.
    other.say("exit\r").await;
    assert_eq!(other.last_word().await["control"], "exited");
    open(&server, &id).await;
    server.clear().await;
}

#[tokio::test]
async fn the_command_is_a_shell_in_the_sandbox() {
    let server = Server::start();
    let id = server.create("!say done").await;
    server.until(&id, "work_committed", 1).await;
    let mut command = server.place.command(&["terminal", &id]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"echo from $((5 * 5)) in $PWD\nexit 3\n").unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("from 25 in /workspace"), "{shown} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3));
    let listed = server.place.say(&["terminal", &id, "--list"]);
    assert!(listed.contains("ended with exit code 3"), "{listed}");
    server.clear().await;
}
