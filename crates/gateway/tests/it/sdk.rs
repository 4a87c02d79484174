//! The vendors' own SDKs, unmodified, through the gateway: what they make of an answer is what the ledger was told.

use crate::door::{Door, grant};
use crate::upstream::{Answer, Vendor, in_pieces};
use bytes::Bytes;
use lamplight_domain::transcript::Tokens;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

/// Long enough for a machine that is busy; reached only by a test that fails.
const SOON: Duration = Duration::from_secs(60);

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/requirements.txt");
const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/drive.py");
/// How pip says that there is no network.
const NO_NETWORK: [&str; 5] = [
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "ConnectTimeoutError",
];

/// A Python with the SDKs, installed on first use below the target directory; `None` where there is no network to do that.
async fn python() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let (python, done) = (home.join("bin/python"), home.join("requirements.txt"));
    let wanted = std::fs::read_to_string(REQUIREMENTS).unwrap();
    if std::fs::read_to_string(&done).ok().as_ref() == Some(&wanted) {
        return Some(python);
    }
    let _old = std::fs::remove_dir_all(&home);
    let made =
        Command::new("python3").args(["-m", "venv"]).arg(&home).output().await.expect("python3 is needed");
    assert!(
        made.status.success(),
        "install the package python3-venv: {}",
        String::from_utf8_lossy(&[made.stdout, made.stderr].concat())
    );
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "-r",
        REQUIREMENTS,
    ]);
    let installed = pip.output().await.unwrap();
    let said = String::from_utf8_lossy(&installed.stderr);
    if !installed.status.success() && NO_NETWORK.iter().any(|words| said.contains(words)) {
        return None;
    }
    assert!(installed.status.success(), "{said}");
    std::fs::write(done, wanted).unwrap();
    Some(python)
}

/// The SDKs in their process.
struct Driver {
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Driver {
    fn start(python: &Path) -> Self {
        let mut command = Command::new(python);
        command.arg(DRIVER).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let calls = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { calls, answers, _process: process }
    }

    async fn call(&mut self, call: &str, door: &Door) -> Value {
        let line = format!("{}\n", json!({"call": call, "base": door.url("")}));
        self.calls.write_all(line.as_bytes()).await.unwrap();
        let answer =
            tokio::time::timeout(SOON, self.answers.next_line()).await.expect("the SDK does not answer");
        serde_json::from_str(&answer.unwrap().expect("the driver lives")).unwrap()
    }
}

/// What the vendor does after it has said everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    /// The connection breaks.
    Break,
    /// It says nothing more until the client has gone.
    Wait,
}

/// One conversation: the SDK's call, what the vendor says, and what both sides have to make of it.
struct Case {
    call: &'static str,
    says: String,
    then: Then,
    text: &'static str,
    tool: bool,
    /// Whether the SDK knows what was used.
    told: bool,
    /// What the ledger is told; where the vendor does not say it, it is guessed from the text, of which each time two tokens come.
    used: Option<Tokens>,
    error: Option<&'static str>,
}

const WHOLE: Tokens = Tokens { input: 1050, output: 30, cached: 900, cache_written: 50, reasoning: 0 };
const OPENAI: Tokens = Tokens { input: 1000, output: 30, cached: 900, cache_written: 0, reasoning: 12 };
const GOOGLE: Tokens = Tokens { input: 1005, output: 42, cached: 900, cache_written: 0, reasoning: 12 };

fn cases() -> Vec<Case> {
    let case = |call, says: &[&str], then| Case {
        call,
        says: says.concat(),
        then,
        text: "Hello é",
        tool: true,
        told: true,
        used: None,
        error: None,
    };
    // At its beginning it says that two came; by then there are nine bytes or more of text.
    let first = Tokens { output: 3, ..WHOLE };
    let thought = Tokens { output: 12, cached: 0, input: 1000, ..GOOGLE };
    vec![
        Case { used: Some(WHOLE), ..case("anthropic", &[A_START, A_TEXT, A_TOOL, A_END], Then::End) },
        Case {
            tool: false,
            told: false,
            used: Some(first),
            error: Some("APIStatusError"),
            ..case("anthropic", &[A_START, A_TEXT, A_ERROR], Then::End)
        },
        Case {
            tool: false,
            told: false,
            used: Some(first),
            error: Some(""),
            ..case("anthropic", &[A_START, A_TEXT], Then::Break)
        },
        Case {
            tool: false,
            told: false,
            used: Some(first),
            ..case("anthropic, stopped", &[A_START, A_TEXT], Then::Wait)
        },
        Case {
            told: false,
            used: Some(OPENAI),
            ..case("openai chat", &[C_TEXT, C_TOOL, C_USAGE, C_DONE], Then::End)
        },
        Case {
            used: Some(OPENAI),
            ..case("openai chat, asking", &[C_TEXT, C_TOOL, C_USAGE, C_DONE], Then::End)
        },
        Case {
            tool: false,
            told: false,
            error: Some("APIError"),
            ..case("openai chat", &[C_TEXT, C_ERROR], Then::End)
        },
        Case { tool: false, told: false, error: Some(""), ..case("openai chat", &[C_TEXT], Then::Break) },
        Case { tool: false, told: false, ..case("openai chat, stopped", &[C_TEXT], Then::Wait) },
        Case { used: Some(OPENAI), ..case("openai responses", &[R_START, R_TEXT, R_TOOL, R_END], Then::End) },
        Case {
            tool: false,
            told: false,
            error: Some(""),
            ..case("openai responses", &[R_START, R_TEXT], Then::Break)
        },
        Case { used: Some(GOOGLE), ..case("google", &[G_TEXT, G_TOOL, G_END], Then::End) },
        Case {
            tool: false,
            told: false,
            used: Some(thought),
            error: Some(""),
            ..case("google", &[G_TEXT], Then::Break)
        },
        Case {
            tool: false,
            told: false,
            used: Some(thought),
            ..case("google, stopped", &[G_TEXT], Then::Wait)
        },
    ]
}

#[tokio::test]
async fn what_the_sdks_make_of_an_answer_is_what_the_ledger_was_told() {
    let Some(python) = python().await else {
        println!("skipped: the SDKs are not installed, and there is no network to install them from");
        return;
    };
    let mut driver = Driver::start(&python);
    for case in cases() {
        let (pieces, vendor) = saying(&case).await;
        let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
        let made = driver.call(case.call, &door).await;
        let what = format!("{} {}: {made}", case.call, case.says);
        if let Some(pieces) = pieces {
            tokio::time::timeout(SOON, pieces.closed()).await.expect("the vendor is let go");
        }
        door.settled().await;
        assert_eq!(made["text"], case.text, "{what}");
        assert_eq!(
            made["tools"],
            if case.tool { json!([["add", {"a": 1, "b": "}"}]]) } else { json!([]) },
            "{what}"
        );
        match case.error {
            Some(kind) => assert!(made["error"]["kind"].as_str().unwrap().contains(kind), "{what}"),
            None => assert_eq!(made["error"], Value::Null, "{what}"),
        }
        let ledger: Vec<Tokens> = door.used().into_iter().map(|(_, tokens)| tokens).collect();
        match (case.used, &ledger[..]) {
            (Some(used), ledger) => assert_eq!(ledger, [used], "{what}"),
            (None, [guessed]) => {
                assert!(guessed.input > 10 && guessed.output == 2, "{guessed:?}: {what}");
                assert!(door.costs()[0].2, "{what}");
            }
            (None, ledger) => panic!("{ledger:?}: {what}"),
        }
        if case.told {
            // Some say nothing of what their vendor does not count.
            let counts: Tokens = serde_json::from_value(made["counts"].clone()).unwrap();
            assert_eq!([counts], ledger[..], "{what}");
        } else {
            assert_eq!(made["counts"], Value::Null, "{what}");
        }
    }
    for call in ["anthropic", "openai chat", "openai responses", "google"] {
        let body = r#"{"type":"error","error":{"type":"rate_limit_error","code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
        let answer = Answer::Whole(429, "application/json", Bytes::from_static(body.as_bytes()));
        let vendor = Vendor::with([answer]).await;
        let door = Door::open(grant(Path::new("/nowhere")), vendor.upstreams()).await;
        let made = driver.call(call, &door).await;
        assert_eq!(
            (&made["error"]["status"], &made["error"]["retry_after"]),
            (&json!(429), &json!("7")),
            "{call}: {made}"
        );
        assert_eq!(door.used(), []);
        assert_eq!(vendor.received().len(), 1, "{call}");
    }
}

/// A vendor that says what the case says, in small pieces.
async fn saying(case: &Case) -> (Option<mpsc::Sender<io::Result<Bytes>>>, Vendor) {
    if case.then == Then::End {
        return (None, Vendor::with([in_pieces(&case.says, 11)]).await);
    }
    let (pieces, answer) = mpsc::channel(case.says.len() + 1);
    for piece in case.says.as_bytes().chunks(11) {
        pieces.try_send(Ok(Bytes::copy_from_slice(piece))).unwrap();
    }
    let waiting = (case.then == Then::Wait).then(|| pieces.clone());
    if case.then == Then::Break {
        pieces.try_send(Err(io::Error::other("the vendor dies"))).unwrap();
    }
    (waiting, Vendor::with([Answer::Pieces(answer)]).await)
}

const A_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":100,\"cache_creation_input_tokens\":50,\"cache_read_input_tokens\":900,\"output_tokens\":2}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
const A_TEXT: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello é\"}}\n\n";
const A_TOOL: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"add\",\"input\":{}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\": 1, \\\"b\\\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\": \\\"}\\\"}\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n";
const A_END: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":30}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const A_ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

const C_TEXT: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hello é\"},\"finish_reason\":null}]}\n\n";
const C_TOOL: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\": 1, \"}}]},\"finish_reason\":null}]}\n\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"b\\\": \\\"}\\\"}\"}}]},\"finish_reason\":null}]}\n\n";
const C_USAGE: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":30,\"total_tokens\":1030,\"prompt_tokens_details\":{\"cached_tokens\":900},\"completion_tokens_details\":{\"reasoning_tokens\":12}}}\n\n";
const C_DONE: &str = "data: [DONE]\n\n";
const C_ERROR: &str = "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";

const R_START: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"object\":\"response\",\"created_at\":1,\"model\":\"gpt-5.1\",\"status\":\"in_progress\",\"output\":[],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"usage\":null}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\nevent: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n";
const R_TEXT: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hello é\",\"logprobs\":[]}\n\n";
const R_TOOL: &str = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":4,\"output_index\":1,\"item\":{\"id\":\"f\",\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"add\",\"arguments\":\"\",\"status\":\"in_progress\"}}\n\nevent: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"sequence_number\":5,\"item_id\":\"f\",\"output_index\":1,\"delta\":\"{\\\"a\\\": 1, \\\"b\\\": \\\"}\\\"}\"}\n\n";
const R_END: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":6,\"response\":{\"id\":\"r\",\"object\":\"response\",\"created_at\":1,\"model\":\"gpt-5.1\",\"status\":\"completed\",\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"output\":[{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hello é\",\"annotations\":[]}]},{\"id\":\"f\",\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"add\",\"arguments\":\"{\\\"a\\\": 1, \\\"b\\\": \\\"}\\\"}\",\"status\":\"completed\"}],\"usage\":{\"input_tokens\":1000,\"input_tokens_details\":{\"cached_tokens\":900},\"output_tokens\":30,\"output_tokens_details\":{\"reasoning_tokens\":12},\"total_tokens\":1030}}}\n\n";

const G_TEXT: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"Hello é\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":1000,\"thoughtsTokenCount\":12,\"totalTokenCount\":1012},\"modelVersion\":\"gemini-2.5-pro\"}\r\n\r\n";
const G_TOOL: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"add\",\"args\":{\"a\":1,\"b\":\"}\"}}}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gemini-2.5-pro\"}\r\n\r\n";
const G_END: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":1000,\"cachedContentTokenCount\":900,\"candidatesTokenCount\":30,\"thoughtsTokenCount\":12,\"toolUsePromptTokenCount\":5,\"totalTokenCount\":1047},\"modelVersion\":\"gemini-2.5-pro\"}\r\n\r\n";
