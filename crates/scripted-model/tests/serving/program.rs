//! The program as others start it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::exchange;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lamplight-scripted-model"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The first line is printed once the server listens.
async fn listening(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line =
        tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("no line in time");
    line.unwrap().expect("it listens")
}

#[tokio::test]
async fn it_plays_a_script_of_ones_own_and_tells_its_port() {
    let directory = tempfile::tempdir().unwrap();
    let (script, port) = (directory.path().join("script.json"), directory.path().join("port"));
    let json = r#"{"default": "mine", "scenarios": {"mine": {"steps": [
        {"text": "Mine.", "usage": {"input": 100, "cached": 60, "output": 7}}]}}}"#;
    std::fs::write(&script, json).unwrap();
    let mut child = program().arg("--script").arg(&script).arg("--port-file").arg(&port).spawn().unwrap();
    let line = listening(&mut child).await;
    let port: u16 = std::fs::read_to_string(port).unwrap().trim().parse().unwrap();
    assert_eq!(line, format!("The scripted model listens on http://127.0.0.1:{port}"));

    let request = r#"{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}"#;
    let chat = exchange(port, "POST", "/v1/chat/completions", &[], request).await.json();
    assert_eq!(chat["choices"][0]["message"]["content"], "Mine.");
    assert_eq!(
        (&chat["usage"]["prompt_tokens"], &chat["usage"]["completion_tokens"]),
        (&100.into(), &7.into())
    );
    let message =
        exchange(port, "POST", "/v1/messages", &["anthropic-version: 2023-06-01"], request).await.json();
    let usage = &message["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&40.into(), &60.into()));
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_script_that_cannot_be_played_is_refused_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script.json");
    let reasons = [
        ("{", "not of the expected form"),
        (r#"{"scenarios": {"a": {"stepz": []}}}"#, "unknown field `stepz`"),
        (r#"{"scenarios": {"a": {"steps": []}}}"#, "scenario \"a\" has no step"),
        (r#"{"default": "nowhere"}"#, "\"nowhere\" does not exist"),
    ];
    for (json, reason) in reasons {
        std::fs::write(&script, json).unwrap();
        let output = program().arg("--script").arg(&script).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
}
