//! The bytes that agents are told: compared whole, since a message is written again after a crash.

use bytes::Bytes;
use lamplight_agent::{Context, render};
use lamplight_domain::agent::{AgentInput, ModelConfig};
use lamplight_domain::permission::Answer;
use lamplight_domain::question::{FieldValue, Reply};
use lamplight_domain::{Attachment, TurnNumber};
use serde_json::{Value, json};

fn context() -> Context {
    let images = [("aa".repeat(32), Bytes::from_static(b"\x89PNG"))].into();
    Context { cwd: "/workspace".to_owned(), home: "/home/agent".to_owned(), images, questions: false }
}

fn check(input: &AgentInput, expected: Value) {
    let line = render(input, &context());
    assert_eq!(line, render(input, &context()));
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(line.last(), Some(&b'\n'));
    assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected);
}

#[test]
fn every_input_is_one_line() {
    let agent_session = "s-1".to_owned();
    let request = |id: &str, method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let initialize = render(&AgentInput::Initialize, &context());
    let initialize: Value = serde_json::from_slice(&initialize).unwrap();
    assert_eq!(initialize["params"]["protocolVersion"], 1);
    assert_eq!(initialize["params"]["clientInfo"]["name"], "lamplight");
    let capabilities = &initialize["params"]["clientCapabilities"];
    assert!(capabilities.pointer("/fs/writeTextFile").is_none_or(|advertised| advertised == false));
    assert!(capabilities.pointer("/terminal").is_none_or(|advertised| advertised == false));

    check(
        &AgentInput::NewSession,
        request("new-session", "session/new", json!({ "cwd": "/workspace", "mcpServers": [] })),
    );
    check(
        &AgentInput::LoadSession { agent_session: agent_session.clone() },
        request(
            "load-session:s-1",
            "session/load",
            json!({ "sessionId": "s-1", "cwd": "/workspace", "mcpServers": [] }),
        ),
    );
    check(
        &AgentInput::ChooseModel {
            agent_session: agent_session.clone(),
            config: ModelConfig::Option { id: "model".to_owned() },
            model: "small".to_owned(),
        },
        request(
            "choose-model",
            "session/set_config_option",
            json!({ "sessionId": "s-1", "configId": "model", "value": "small" }),
        ),
    );
    check(
        &AgentInput::ChooseModel {
            agent_session: agent_session.clone(),
            config: ModelConfig::SetModel,
            model: "small".to_owned(),
        },
        request("choose-model", "session/set_model", json!({ "sessionId": "s-1", "modelId": "small" })),
    );
    check(
        &AgentInput::ChooseMode { agent_session: agent_session.clone(), mode: "yolo".to_owned() },
        request("choose-mode", "session/set_mode", json!({ "sessionId": "s-1", "modeId": "yolo" })),
    );
    check(
        &AgentInput::Prompt {
            agent_session: agent_session.clone(),
            turn: TurnNumber(3),
            retry: 0,
            text: "a\nb \"c\"".to_owned(),
            attachments: Vec::new(),
            images: false,
        },
        request(
            "prompt-3",
            "session/prompt",
            json!({ "sessionId": "s-1", "prompt": [{ "type": "text", "text": "a\nb \"c\"" }] }),
        ),
    );
    check(
        &AgentInput::Cancel { agent_session },
        json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": { "sessionId": "s-1" } }),
    );
    check(
        &AgentInput::AnswerPermission {
            request: 7.into(),
            answer: Answer::Selected { option: "yes".to_owned() },
        },
        json!({ "jsonrpc": "2.0", "id": 7, "result": { "outcome": { "outcome": "selected", "optionId": "yes" } } }),
    );
    check(
        &AgentInput::AnswerPermission { request: "seven".into(), answer: Answer::Cancelled },
        json!({ "jsonrpc": "2.0", "id": "seven", "result": { "outcome": { "outcome": "cancelled" } } }),
    );
    check(
        &AgentInput::AnswerQuestion {
            request: 9.into(),
            reply: Reply::Accepted {
                content: [
                    ("channel".to_owned(), FieldValue::Text("beta".to_owned())),
                    ("keep".to_owned(), FieldValue::Integer(3)),
                    ("share".to_owned(), FieldValue::Number(12.5)),
                    ("sign".to_owned(), FieldValue::YesNo(true)),
                    ("systems".to_owned(), FieldValue::Choices(vec!["linux".to_owned()])),
                ]
                .into(),
            },
        },
        json!({ "jsonrpc": "2.0", "id": 9, "result": { "action": "accept", "content": {
            "channel": "beta", "keep": 3, "share": 12.5, "sign": true, "systems": ["linux"],
        } } }),
    );
    for (reply, action) in [(Reply::Declined, "decline"), (Reply::Cancelled, "cancel")] {
        check(
            &AgentInput::AnswerQuestion { request: "nine".into(), reply },
            json!({ "jsonrpc": "2.0", "id": "nine", "result": { "action": action } }),
        );
    }
    check(
        &AgentInput::Unsupported { request: 8.into(), method: "fs/read_text_file".to_owned() },
        json!({ "jsonrpc": "2.0", "id": 8, "error": {
            "code": -32601,
            "message": "Lamplight does not serve fs/read_text_file",
        } }),
    );
}

#[test]
fn questions_are_offered_only_where_somebody_can_answer_and_pages_never() {
    for questions in [false, true] {
        let context = Context { questions, ..context() };
        let initialize: Value = serde_json::from_slice(&render(&AgentInput::Initialize, &context)).unwrap();
        let offered =
            initialize.pointer("/params/clientCapabilities/elicitation").filter(|told| !told.is_null());
        assert_eq!(offered, questions.then(|| json!({ "form": {} })).as_ref());
    }
}

#[test]
fn a_prompt_says_where_its_files_are_and_shows_the_images_that_there_are() {
    let file = |blob: &str, name: &str, media_type: &str| Attachment {
        blob: blob.repeat(32),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: 4,
    };
    let told = "look\n\nAttached files:\
        \n- /home/agent/attachments/aaaaaaaaaaaa/shot.png (image/png, 4 bytes)\
        \n- /home/agent/attachments/bbbbbbbbbbbb/huge.png (image/png, 4 bytes)\
        \n- /home/agent/attachments/cccccccccccc/log.txt (text/plain, 4 bytes)";
    let prompt = json!([
        { "type": "text", "text": told },
        { "type": "image", "data": "iVBORw==", "mimeType": "image/png" },
    ]);
    check(
        &AgentInput::Prompt {
            agent_session: "s-1".to_owned(),
            turn: TurnNumber(3),
            retry: 0,
            text: "look".to_owned(),
            attachments: vec![
                file("aa", "shot.png", "image/png"),
                file("bb", "huge.png", "image/png"),
                file("cc", "log.txt", "text/plain"),
            ],
            images: true,
        },
        json!({ "jsonrpc": "2.0", "id": "prompt-3", "method": "session/prompt",
            "params": { "sessionId": "s-1", "prompt": prompt } }),
    );
}
