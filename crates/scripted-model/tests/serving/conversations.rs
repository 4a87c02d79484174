//! Whole conversations, the same in every protocol, streamed and not.

use std::path::Path;

use futures::future::join_all;
use serde_json::json;

use crate::agent::{Agent, Answer, PROTOCOLS, Protocol};
use crate::client::Server;

/// Does the demo's task in a copy of the sample repository, with a shell as the only tool.
#[tokio::test]
async fn the_demo_repairs_the_sample() {
    let server = Server::built_in().await;
    let ways = PROTOCOLS.into_iter().flat_map(|protocol| [(protocol, false), (protocol, true)]);
    join_all(ways.map(|(protocol, stream)| demo(&server, protocol, stream))).await;
}

async fn demo(server: &Server, protocol: Protocol, stream: bool) {
    let repository = sample();
    let mut agent = Agent::new(server, protocol, stream);
    agent.says("Make the failing test pass.");
    let mut answers = vec![];
    loop {
        let answer = agent.ask().await;
        let results: Vec<_> = answer
            .calls
            .iter()
            .map(|call| (call, run(repository.path(), &call.argument("command"))))
            .collect();
        agent.results(&results);
        let done = answer.calls.is_empty();
        answers.push(answer);
        if done {
            break;
        }
    }
    assert!(run(repository.path(), "python3 -m unittest").contains("\nOK"), "{protocol:?} {answers:?}");
    assert_eq!(answers.len(), 5, "{protocol:?} {answers:?}");
    assert!(answers[4].text.contains("All tests pass"), "{answers:?}");
    assert!(!answers[0].thinking.is_empty());
    assert!(answers.iter().all(|answer| answer.usage.0 > 0 && answer.usage.1 > 0), "{answers:?}");

    agent.says("Is it done?");
    let follow_up = agent.ask().await;
    assert!(follow_up.calls.is_empty() && follow_up.text.contains("stands as described"), "{follow_up:?}");
}

/// Without the sample there is nothing it could do, and it says so rather than claim success.
#[tokio::test]
async fn the_demo_elsewhere_says_that_it_knows_no_other_task() {
    let server = Server::built_in().await;
    let mut agent = Agent::new(&server, PROTOCOLS[0], true);
    agent.says("Write me a compiler.");
    let first = agent.ask().await;
    let results: Vec<_> =
        first.calls.iter().map(|call| (call, "No such file or directory".to_owned())).collect();
    agent.results(&results);
    let second = agent.ask().await;
    assert!(second.calls.is_empty() && second.text.contains("no model key"), "{second:?}");
}

/// The same request gets the same bytes; a conversation never gets an id twice.
#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_a_longer_one_other_ids() {
    let server = Server::built_in().await;
    for protocol in PROTOCOLS {
        let first_ask = async || {
            let mut agent = Agent::new(&server, protocol, true);
            agent.says("[[scenario:loop]]");
            let answer = agent.ask().await;
            (agent, answer)
        };
        let (mut agent, first) = first_ask().await;
        assert_eq!(first_ask().await.1, first);
        agent.results(&[(&first.calls[0], "again\n".to_owned())]);
        let second = agent.ask().await;
        assert_eq!(second.calls[0].arguments, first.calls[0].arguments);
        assert_ne!(second.calls[0].id, first.calls[0].id);
    }
}

#[tokio::test]
async fn markers_choose_the_scenario_and_fill_it_in() {
    let server = Server::built_in().await;
    for protocol in PROTOCOLS {
        let mut agent = Agent::new(&server, protocol, true);
        agent.says("[[scenario:many]]");
        for step in 1..=30 {
            let Answer { calls, .. } = agent.ask().await;
            assert_eq!(calls[0].argument("command"), format!("echo step {step}"));
            agent.results(&[(&calls[0], format!("step {step}"))]);
        }
        assert_eq!(agent.ask().await.text, "All 30 steps are done.");

        agent.says("[[scenario:edit]] [[file:docs/new.md]] [[content:words]]");
        let Answer { calls, text, .. } = agent.ask().await;
        assert_eq!(text, "I write `docs/new.md`.");
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), &calls[0].argument("command"));
        assert_eq!(std::fs::read_to_string(directory.path().join("docs/new.md")).unwrap(), "words\n");
    }
}

/// Titles and summaries, as agents ask for them, leave the conversation where it is.
#[tokio::test]
async fn a_request_beside_the_conversation_uses_up_no_step() {
    let server = Server::built_in().await;
    let title = json!({"model": "small", "messages": [
        {"role": "system", "content": "You are a title generator."},
        {"role": "user", "content": "[[scenario:many]] Rename the module."}]});
    let answer = server.post("/v1/chat/completions", &[], &title).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Rename the module");

    let schema =
        json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    let formed = json!({"model": "small", "input": "Rename the module.", "instructions": "A title, please.",
        "tools": [{"type": "function", "name": "bash", "parameters": {}}],
        "text": {"format": {"type": "json_schema", "name": "title", "schema": schema}}});
    let answer = server.post("/v1/responses", &[], &formed).await.json();
    assert_eq!(answer["output"][0]["content"][0]["text"], "{\"title\":\"Rename the module\"}");

    let stats = server.get("/_scripted/stats").await;
    assert_eq!((&stats["side_requests"], &stats["by_scenario"]), (&json!(2), &json!({})));
}

/// Codex as of 0.166 with a model of its catalogue: tools in the input, one of which runs programs.
#[tokio::test]
async fn code_mode_gets_programs() {
    let server = Server::built_in().await;
    let exec = json!({"type": "custom", "name": "exec",
                      "description": "Run JavaScript\n### `apply_patch`\n…\n### `exec_command`\n…"});
    let ask = async |prompt: &str| {
        let request = json!({"model": "any", "input": [
            {"type": "additional_tools", "role": "developer",
             "tools": [{"type": "namespace", "name": "functions", "tools": [exec]}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}]});
        server.post("/v1/responses", &[], &request).await.json()["output"][1].clone()
    };
    let run = ask("[[scenario:sleep]]").await;
    assert_eq!((&run["type"], &run["namespace"]), (&json!("custom_tool_call"), &json!("functions")));
    assert_eq!(
        run["input"],
        "const result = await tools.exec_command({\"cmd\":\"env sleep 60\",\"yield_time_ms\":30000});\n\
         text(result);\n"
    );
    assert_eq!(
        ask("[[scenario:edit]]").await["input"],
        "text(await tools.apply_patch(\"*** Begin Patch\\n*** Add File: NOTES.md\\n\
         +Written by the scripted model.\\n*** End Patch\\n\"));\n"
    );
}

fn sample() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), concat!("cp -r ", env!("CARGO_MANIFEST_DIR"), "/sample/. ."));
    directory
}

/// What a command prints, errors among it.
fn run(directory: &Path, command: &str) -> String {
    let output = std::process::Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(directory)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
