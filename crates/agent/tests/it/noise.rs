//! Any bytes can be read: nothing panics, and a reader goes on afterwards.

use lamplight_agent::{Listening, Reader, Said};
use lamplight_domain::TurnNumber;
use serde_json::{Map, Value, json};

const LINES: u32 = 30_000;
const RECORDED: [&str; 4] = [
    include_str!("../recorded/goose.jsonl"),
    include_str!("../recorded/opencode.jsonl"),
    include_str!("../recorded/claude.jsonl"),
    include_str!("../recorded/codex.jsonl"),
];

#[test]
fn damaged_messages_never_panic() {
    let mut chance = fastrand::Rng::with_seed(7411);
    let lines: Vec<&str> = RECORDED.iter().flat_map(|recording| recording.lines()).collect();
    let mut reader = Reader::default();
    for _ in 0..LINES {
        let mut line = chance.choice(&lines).unwrap().as_bytes().to_vec();
        for _ in 0..chance.usize(1..4) {
            let at = chance.usize(..line.len());
            match chance.u8(..4) {
                0 => line[at] = chance.u8(..),
                1 => line.truncate(at.max(1)),
                2 => line.insert(at, chance.u8(..)),
                _ => drop(line.remove(at)),
            }
            if line.is_empty() {
                line.push(b'{');
            }
        }
        reader.read(&line, listening(&mut chance));
    }
}

#[test]
fn any_shape_of_message_is_read() {
    let mut chance = fastrand::Rng::with_seed(2026);
    let mut reader = Reader::default();
    let methods = ["session/update", "session/request_permission", "fs/read_text_file", "vendor/x"];
    let ids = [
        "initialize",
        "new-session",
        "load-session:x",
        "choose-model",
        "choose-mode",
        "prompt-1",
        "prompt-x",
    ];
    let mut understood = 0;
    for _ in 0..LINES {
        let mut message = Map::new();
        message.insert("jsonrpc".to_owned(), "2.0".into());
        if chance.bool() {
            message.insert("method".to_owned(), (*chance.choice(&methods).unwrap()).into());
            message.insert("params".to_owned(), any_value(&mut chance, 4));
        } else {
            let name = if chance.bool() { "result" } else { "error" };
            message.insert(name.to_owned(), any_value(&mut chance, 4));
        }
        if chance.bool() {
            message.insert("id".to_owned(), (*chance.choice(&ids).unwrap()).into());
        }
        let said = reader.read(Value::Object(message).to_string().as_bytes(), listening(&mut chance));
        understood += usize::from(said != Said::default());
    }
    assert!(understood > LINES as usize / 4, "only {understood} of {LINES} said anything");
}

fn listening(chance: &mut fastrand::Rng) -> Listening {
    if chance.u8(..8) == 0 { Listening::Loading } else { Listening::Turn(TurnNumber(chance.u32(..3))) }
}

/// A value of the fields that matter, with any contents.
fn any_value(chance: &mut fastrand::Rng, depth: u32) -> Value {
    const NAMES: [&str; 30] = [
        "update",
        "sessionUpdate",
        "content",
        "type",
        "text",
        "toolCallId",
        "title",
        "status",
        "kind",
        "rawInput",
        "rawOutput",
        "locations",
        "path",
        "line",
        "entries",
        "used",
        "size",
        "cost",
        "_meta",
        "options",
        "optionId",
        "toolCall",
        "sessionId",
        "configOptions",
        "category",
        "models",
        "modes",
        "stopReason",
        "code",
        "data",
    ];
    const WORDS: [&str; 14] = [
        "agent_message_chunk",
        "agent_thought_chunk",
        "tool_call",
        "tool_call_update",
        "plan",
        "usage_update",
        "text",
        "diff",
        "terminal",
        "content",
        "completed",
        "model",
        "end_turn",
        "Ran into this error: x",
    ];
    match chance.u8(..if depth == 0 { 4 } else { 9 }) {
        0 => Value::Null,
        1 => json!(chance.i64(..)),
        2 => json!(chance.bool()),
        3 => json!(chance.choice(WORDS).unwrap()),
        4 => (0..chance.usize(..4)).map(|_| any_value(chance, depth - 1)).collect(),
        _ => {
            let fields = (0..chance.usize(..8)).map(|_| {
                let name = if chance.u8(..3) == 0 { "sessionUpdate" } else { chance.choice(NAMES).unwrap() };
                (name.to_owned(), any_value(chance, depth - 1))
            });
            Value::Object(fields.collect())
        }
    }
}
