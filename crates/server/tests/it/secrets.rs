//! Keys: stored, listed, tried and removed; and seen nowhere, whoever repeats them.

use crate::support::{Place, Server};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

/// Stored by the command; `/`, `+` and `=` so that its forms differ.
pub(crate) const STORED: &str = "sk-canary/4f2a+91b7=q";
/// In the environment of the server.
const VARIABLE: &str = "ant-canary-77c1d0e2";

/// Every form of either that could be read again, as coreutils and Python write them.
const FORMS: [&str; 12] = [
    STORED,
    "sk-canary%2F4f2a%2B91b7%3Dq",
    "sk-canary%2f4f2a%2b91b7%3dq",
    "sk-canary\\/4f2a+91b7=q",
    "736b2d63616e6172792f346632612b393162373d71",
    // base64, with nothing, `u:` and `x` before it.
    "c2stY2FuYXJ5LzRmMmErOTFiNz1x",
    "zay1jYW5hcnkvNGYyYSs5MWI3PX",
    "NrLWNhbmFyeS80ZjJhKzkxYjc9c",
    VARIABLE,
    "616e742d63616e6172792d3737633164306532",
    "YW50LWNhbmFyeS03N2MxZDBlMg",
    "FudC1jYW5hcnktNzdjMWQwZT",
];

/// Answers every request with a refusal that repeats the key in many forms, in the body and in a header.
fn gossip() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = socket.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let known = [STORED, VARIABLE].iter().any(|key| request.contains(key));
            let message = format!("Incorrect API key provided: {}", FORMS.join(" "));
            let body =
                json!({"error": {"message": message, "type": "invalid_request_error", "known": known}})
                    .to_string();
            let head = format!(
                "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nx-echo: {STORED}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            socket.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    base
}

/// A step in which a program inside asks a model, and prints everything that comes back.
fn ask(path: &str) -> String {
    format!(
        "!run python3 -c 'import http.client as h; c = h.HTTPConnection(\"127.0.0.1\", 7411); c.request(\"POST\", \"{path}\", b\"{{\\\"model\\\":\\\"m\\\"}}\"); \
         a = c.getresponse(); print(a.headers, a.read())'"
    )
}

pub(crate) fn place() -> Place {
    let mut place = Place::new();
    let config = std::fs::read_to_string(place.path("lamplight.toml")).unwrap();
    let base = gossip();
    let more = format!(
        "[log]\nlevel = 'trace'\n[models.openai]\nbase = '{base}'\nprice = 'free'\n\
         [models.anthropic]\nbase = '{}'\nprice = 'free'\nkey_env = 'ANTHROPIC_API_KEY'\n",
        base.trim_end_matches("/v1")
    );
    std::fs::write(place.path("lamplight.toml"), config + &more).unwrap();
    place.environment.push(("ANTHROPIC_API_KEY", VARIABLE));
    place
}

pub(crate) fn set_key(place: &Place, key: &str) -> Output {
    let mut command = place.command(&["keys", "set", "openai"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn check_clean(what: &str, bytes: &[u8]) {
    for form in FORMS {
        let place = bytes.windows(form.len()).position(|window| window == form.as_bytes());
        assert_eq!(place, None, "{form} is in {what}");
    }
}

/// Every file below, whoever wrote it; how many there were.
fn check_files(directory: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files += check_files(&entry.path());
        } else if kind.is_file()
            && let Ok(bytes) = std::fs::read(entry.path())
        {
            check_clean(&entry.path().display().to_string(), &bytes);
            files += 1;
        }
    }
    files
}

#[tokio::test]
async fn keys_are_seen_nowhere_whoever_repeats_them() {
    let server = Server::start_in(place());
    let place = &server.place;
    assert_eq!(text(&set_key(place, &format!("{STORED}\n"))), "Stored. Try it: lamplight keys test openai\n");
    let mut said =
        vec![text(&place.run(&["keys", "test"])), place.say(&["keys", "list"]), place.say(&["config"])];
    let refused = "refused with 401: Incorrect API key provided: [secret openai key]";
    assert_eq!(said[0].matches(refused).count(), 2, "{}", said[0]);

    // A person who gives the keys away, a provider that repeats them, and errors about what they are in.
    let prompt = [
        format!("Use {}\n!log {STORED}", FORMS.join(" ")),
        ask("/openai/v1/chat/completions"),
        ask("/anthropic/v1/messages"),
    ]
    .join("\n");
    let id = server.create(&prompt).await;
    let log = server.until(&id, "work_committed", 1).await;
    let log = Value::from(log).to_string();
    assert!(log.contains("[secret openai key]") && log.contains("[secret anthropic key]"), "{log}");
    assert!(
        log.contains("Incorrect API key provided: *********************"),
        "the upstream's own words: {log}"
    );
    said.push(log);
    for path in [
        format!("/sessions/{STORED}"),
        format!("/nothing/{VARIABLE}"),
        "/sessions?phase=sk-canary/4f2a%2B91b7=q".to_owned(),
    ] {
        let (status, problem) = server.get(&path).await;
        assert!(status.is_client_error() && problem.to_string().contains("[secret "), "{problem}");
        said.push(problem.to_string());
    }
    let request = json!({"repository": STORED, "prompt": "x"});
    let (status, problem) = server.post("/sessions", request).await;
    assert!(status.is_client_error() && problem.to_string().contains("[secret openai key]"), "{problem}");
    let (_, models) = server.get("/models").await;
    assert_eq!(models["items"][0]["models"], json!([]), "{models}");
    assert!(models["items"][0]["problem"].as_str().unwrap().starts_with("refused with 401: "), "{models}");
    said.extend([problem.to_string(), models.to_string()]);
    for path in ["/keys", "/status", "/sessions", &format!("/sessions/{id}"), &format!("/sessions/{id}/diff")]
    {
        said.push(server.get(path).await.1.to_string());
    }
    said.push(place.say(&["show", &id]) + &place.say(&["logs", &id]));
    check_clean("what was said", said.join("\n").as_bytes());

    let log = std::fs::read(server.place.path("server.log")).unwrap();
    assert!(log.len() > 1_000, "the log is not at its loudest");
    check_clean("the log", &log);
    server.clear().await;
    server.signal("TERM");
    let (code, place) = server.ended();
    assert_eq!(code, Some(0));
    assert!(check_files(&place.path("data")) > 3);
    check_clean("the log", &std::fs::read(place.path("server.log")).unwrap());
    check_clean("the branches", place.git(&["log", "--all", "-p"]).as_bytes());
}

/// An agent that has got hold of a key all the same, and shows it in every way that it has.
#[tokio::test]
async fn what_an_agent_shows_of_a_key_does_not_come_into_the_log() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    // Put together inside, so that the prompt has nothing of it.
    let tell = "!run k=\"sk-can\"\"ary/4f2a+91b7=q\"; echo $k; printf %s $k | base64; printf u:%s $k | base64; printf %s $k | od -An -tx1 | tr -d ' \\n'; echo $k >&2";
    let id = server.create(tell).await;
    let log = Value::from(server.until(&id, "work_committed", 1).await).to_string();
    assert!(log.matches("[secret openai key]").count() >= 4, "{log}");
    check_clean("the log of the session", log.as_bytes());
    let (_, page) = server.get(&format!("/sessions/{id}/log?after=0")).await;
    check_clean("the log again", page.to_string().as_bytes());
    for file in ["data/lamplight.db", "data/lamplight.db-wal"] {
        check_clean(file, &std::fs::read(server.place.path(file)).unwrap_or_default());
    }
    server.clear().await;
}

/// An agent that offers a key as a result: as it is, in base64, and as the name of a file.
#[tokio::test]
async fn what_an_agent_offers_with_a_key_in_it_is_not_kept() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    let offer = "!run mkdir -p .lamplight/artifacts && cd .lamplight/artifacts && k=\"sk-can\"\"ary/4f2a+91b7=q\" \
        && echo \"It is $k.\" > plain.txt && printf u:%s $k | base64 > encoded.txt && touch \"$(printf %s $k | base64)\" \
        && mkdir sk-canary && touch \"$k\" && echo 'It is a secret.' > fine.txt";
    let id = server.create(offer).await;
    let log = server.until(&id, "work_committed", 1).await;
    let (_, list) = server.get(&format!("/sessions/{id}/artifacts")).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["fine.txt"], "{list}");
    let noted =
        json!({"type": "noted", "text": "Artifacts with secrets in them were not kept: 4 (openai key)."});
    assert!(log.iter().any(|entry| entry["event"] == noted), "{log:?}");
    check_clean("the log of the session", Value::from(log).to_string().as_bytes());
    server.clear().await;
    server.signal("TERM");
    let (_, place) = server.ended();
    assert!(check_files(&place.path("data")) > 3);
}

/// An agent says a key letter by letter, with a server that is killed in the middle of it.
#[tokio::test]
async fn a_key_that_an_agent_says_in_pieces_is_found_whoever_hears_them() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    let (first, rest) = STORED.split_at(9);
    let letters: Vec<String> = rest.chars().map(String::from).collect();
    let prompt = format!(
        "!pieces 60 It is |{first}|{}|, and no other.\n!pieces 0 Begun.|{first}\n!wait 4000\n!pieces 0 {rest}| is it.\n!say done",
        letters.join("|")
    );
    let id = server.create(&prompt).await;
    let spoken = |log: &[Value]| -> String {
        let texts = log.iter().filter(|entry| entry["event"]["type"] == "agent_spoke");
        texts.map(|entry| entry["event"]["text"].as_str().unwrap()).collect()
    };
    let mut seen = 1;
    loop {
        let log = server.until(&id, "agent_spoke", seen).await;
        if spoken(&log).contains("no other.") {
            break;
        }
        seen += 1;
    }
    // What was heard of the second one is in no log yet.
    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    let log = server.until(&id, "work_committed", 1).await;
    let said = "It is [secret openai key], and no other.Begun.[secret openai key] is it.done";
    assert_eq!(spoken(&log), said);
    check_clean("the log", Value::from(log).to_string().as_bytes());
    server.clear().await;
}

/// The same on standard error, which has no messages; and the last words of an agent that ends.
#[tokio::test]
async fn a_key_that_an_agent_murmurs_in_pieces_is_found_whoever_hears_them() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    let (first, rest) = STORED.split_at(9);
    let letters: Vec<String> = rest.chars().map(String::from).collect();
    let padding = "x".repeat(590);
    let prompt = format!(
        "!murmur 60 It is |{first}|{}|, and no other.\\n\n!murmur 0 Begun.\\n{first}\n!wait 4000\n\
         !murmur 0 {rest}| is it.\\n\n!murmur 0 {first}|{rest} {padding}\n!exit 3",
        letters.join("|")
    );
    let id = server.create(&prompt).await;
    let logged = |log: &[Value]| -> String {
        let texts = log.iter().filter(|entry| entry["event"]["type"] == "agent_logged");
        texts.map(|entry| format!("{}\n", entry["event"]["text"].as_str().unwrap())).collect()
    };
    let mut seen = 1;
    while !logged(&server.until(&id, "agent_logged", seen).await).contains("Begun.") {
        seen += 1;
    }
    server.signal("KILL");
    let server = Server::start_in(server.ended().1);
    let log = server.until(&id, "turn_ended", 1).await;
    let murmured = logged(&log);
    for line in
        ["It is [secret openai key], and no other.", "[secret openai key] is it.", "[secret openai key] xxx"]
    {
        assert!(murmured.lines().any(|said| said.starts_with(line)), "{line}: {murmured}");
    }
    // The prompt says the pieces, too.
    let told = log.iter().map(Value::to_string).filter(|entry| !entry.contains("!murmur"));
    let told = told.collect::<Vec<_>>().concat();
    assert!(told.contains("exit code 3: "), "{told}");
    for part in [first, &STORED[STORED.len() - 9..]] {
        assert!(!told.contains(part), "{part} is in {told}");
    }
    check_clean("the log", Value::from(log).to_string().as_bytes());
    server.clear().await;
}

#[tokio::test]
async fn a_key_is_stored_listed_and_removed() {
    let server = Server::start_in(place());
    let place = &server.place;
    let list =
        |place: &Place| -> Value { serde_json::from_str(&place.say(&["keys", "list", "--json"])).unwrap() };
    let before = list(place);
    assert_eq!(
        before["items"][1],
        json!({"name": "anthropic", "source": "environment", "set_at": null, "variable": "ANTHROPIC_API_KEY",
            "base": before["items"][1]["base"], "problem": null})
    );
    let sources = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["source"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(sources(&before), ["not_needed", "environment", "missing"]);
    for (wrong, part) in
        [("", "nothing came"), ("sk-4f2a", "fewer than 8 characters"), ("sk canary 4f2a", "a space")]
    {
        let output = set_key(place, wrong);
        assert!(!output.status.success() && text(&output).contains(part), "{}", text(&output));
    }
    assert!(set_key(place, STORED).status.success());
    let after = list(place);
    assert_eq!(sources(&after), ["stored", "environment", "missing"]);
    assert!(after["items"][0]["set_at"].as_str().is_some_and(|moment| moment.ends_with('Z')), "{after}");
    assert!(place.path("data.key").exists());
    assert!(text(&place.run(&["keys", "set", "mistral"])).contains("openai, anthropic, gemini"));

    let problem = |method: Method, path: &'static str, body: &'static str| {
        let request = server
            .request(method, &format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        async move {
            let answer = request.body(body).send().await.unwrap();
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
            let status = answer.status();
            (status, serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap())
        }
    };
    for (method, path, body, status, code) in [
        (
            Method::PUT,
            "/keys/mistral",
            r#"{"key":"sk-other-1234"}"#,
            StatusCode::NOT_FOUND,
            "upstream_unknown",
        ),
        (Method::PUT, "/keys/gemini", r#"{"key":"sk"}"#, StatusCode::BAD_REQUEST, "key_unusable"),
        // A parser would repeat what it does not understand.
        (Method::PUT, "/keys/gemini", r#""sk-other-1234""#, StatusCode::BAD_REQUEST, "invalid_request"),
        (
            Method::PUT,
            "/keys/gemini",
            r#"{"key":"x","sk-other-1234":1}"#,
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (Method::DELETE, "/keys/gemini", "", StatusCode::NOT_FOUND, "key_not_stored"),
        (Method::POST, "/keys/mistral/test", "", StatusCode::NOT_FOUND, "upstream_unknown"),
    ] {
        let (answered, problem) = problem(method, path, body).await;
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert!(!problem.to_string().contains("sk-other"), "{problem}");
    }
    let (_, test) = server.post("/keys/gemini/test", Value::Null).await;
    assert_eq!(test["outcome"], "not_configured", "{test}");

    assert_eq!(place.say(&["keys", "remove", "openai"]), "The key for openai is forgotten.\n");
    assert!(!place.run(&["keys", "remove", "openai"]).status.success());
    assert_eq!(sources(&list(place)), ["not_needed", "environment", "missing"]);
}

#[tokio::test]
async fn a_server_whose_sealing_key_is_lost_starts_and_says_what_to_do() {
    let server = Server::start_in(place());
    assert!(set_key(&server.place, STORED).status.success());
    server.signal("TERM");
    let (code, mut place) = server.ended();
    assert_eq!(code, Some(0));
    std::fs::remove_file(place.path("data.key")).unwrap();
    // Words that the server is about to log; so it is seen that they are not.
    place.environment = vec![("ANTHROPIC_API_KEY", "a stored key cannot be used")];
    let server = Server::start_in(place);
    let log = std::fs::read_to_string(server.place.path("server.log")).unwrap();
    assert!(log.contains("[secret anthropic key]: ") && !log.contains("cannot be used"), "{log}");
    let listed = server.place.say(&["keys", "list"]);
    assert!(listed.contains("data.key is not there") && listed.contains("put it back"), "{listed}");
    let (_, status) = server.get("/status").await;
    assert_eq!(status["models_configured"], json!(["anthropic"]));
    // The only one that it had sealed: a new one may take its place.
    assert!(set_key(&server.place, STORED).status.success());
    let (_, status) = server.get("/status").await;
    assert_eq!(status["models_configured"], json!(["openai", "anthropic"]));
}
