//! Conversations with the real agents, recorded with the scripted model behind them (`examples/converse.rs`), shortened,
//! and what is read from them. After a change that is meant, `UPDATE_RECORDED=1` writes what is read now.

use lamplight_agent::{Listening, Reader};
use lamplight_domain::TurnNumber;
use lamplight_domain::agent::AgentReport;
use std::fmt::Write;
use std::path::PathBuf;

fn check(name: &str, mut listening: Listening) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let recording = std::fs::read_to_string(directory.join(format!("{name}.jsonl"))).unwrap();
    let mut reader = Reader::default();
    let mut read = String::new();
    for line in recording.lines() {
        let said = reader.read(line.as_bytes(), listening);
        for event in &said.events {
            writeln!(read, "{}", serde_json::to_string(event).unwrap()).unwrap();
        }
        for report in &said.reports {
            writeln!(read, "{report:?}").unwrap();
            if matches!(report, AgentReport::SessionOpened(_)) {
                listening = Listening::Turn(TurnNumber(1));
            }
        }
    }
    let path = directory.join(format!("{name}.read"));
    if std::env::var_os("UPDATE_RECORDED").is_some() {
        std::fs::write(&path, &read).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (read, expected)) in read.lines().zip(expected.lines()).enumerate() {
        assert_eq!(read, expected, "{name}.read, line {}", n + 1);
    }
    assert_eq!(read.lines().count(), expected.lines().count(), "{name}.read");
}

#[test]
fn a_task_done_by_each_agent() {
    for agent in ["goose", "opencode", "claude", "codex"] {
        check(agent, Listening::Turn(TurnNumber(0)));
    }
}

#[test]
fn a_conversation_loaded_by_each_agent() {
    for agent in ["goose", "opencode", "claude", "codex"] {
        check(&format!("{agent}-loaded"), Listening::Loading);
    }
}

#[test]
fn a_refused_key_told_by_each_agent() {
    for agent in ["goose", "opencode", "claude", "codex"] {
        check(&format!("{agent}-refused-key"), Listening::Turn(TurnNumber(1)));
    }
}

#[test]
fn strange_updates() {
    check("strange", Listening::Turn(TurnNumber(1)));
}
