//! Files given along with a prompt: uploaded, named, shown to the agent, put into the sandbox, and given back harmless.

use crate::support::{Place, Server};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::io::Write;

/// The smallest picture there is, as far as anybody here looks.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nwith something behind it";

/// A server with an agent that takes images, beside the one that does not.
fn start() -> Server {
    let place = Place::new();
    let mut config = std::fs::File::options().append(true).open(place.path("lamplight.toml")).unwrap();
    config
        .write_all(
            b"[[agents]]\nname = 'looking'\ntitle = 'Looking'\ncommand = '{tools}/scripted/agent'\nargs = ['--images']\n",
        )
        .unwrap();
    Server::start_in(place)
}

async fn upload(server: &Server, name: &str, content: &[u8]) -> (StatusCode, Value) {
    let mut path = reqwest::Url::parse("http://server/api/v1/attachments").unwrap();
    path.query_pairs_mut().append_pair("name", name);
    let path = format!("{}?{}", path.path(), path.query().unwrap());
    let answer = server.request(Method::POST, &path).body(content.to_vec()).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn attach(server: &Server, name: &str, content: &[u8]) -> Value {
    let (status, attachment) = upload(server, name, content).await;
    assert_eq!(status, StatusCode::CREATED, "{attachment}");
    json!({"id": attachment["id"], "name": attachment["name"]})
}

/// All that the agent said and its tools printed.
fn said(log: &[Value]) -> String {
    let events = log.iter().map(|entry| &entry["event"]);
    events
        .filter(|event| event["type"] == "agent_spoke" || event["type"] == "tool_called")
        .map(Value::to_string)
        .collect()
}

#[tokio::test]
async fn an_agent_sees_the_image_and_finds_the_files() {
    let server = start();
    for (agent, sees) in [("looking", true), ("scripted", false)] {
        let files = [
            attach(&server, "C:\\fotos\\shot 1.png", PNG).await,
            attach(&server, "notes.txt", b"a note inside").await,
        ];
        let request = json!({
            "repository": server.place.repository(), "agent": agent, "attachments": files,
            "prompt": "!run cat /home/agent/attachments/*/notes.txt; wc -c '/home/agent/attachments/'*'/shot 1.png'",
        });
        let (status, made) = server.post("/sessions", request).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = made["id"].as_str().unwrap();
        let log = server.until(id, "work_committed", 1).await;
        let queued = log.iter().find(|entry| entry["event"]["type"] == "prompt_queued").unwrap();
        let kinds: Vec<_> = queued["event"]["attachments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| &file["media_type"])
            .collect();
        assert_eq!(kinds, ["image/png", "text/plain"]);
        let said = said(&log);
        let seen = format!("I see image/png of {} bytes.", PNG.len());
        assert_eq!(said.contains(&seen), sees, "{said}");
        assert!(
            said.contains("a note inside") && said.contains(&format!("{} /home/agent/", PNG.len())),
            "{said}"
        );
        let commit = log.iter().find(|entry| entry["event"]["type"] == "work_committed").unwrap();
        assert_eq!(commit["event"]["commit"], Value::Null, "they are no part of the work");
    }
    server.clear().await;
}

#[tokio::test]
async fn a_later_prompt_brings_files_too_and_they_may_be_all_it_says() {
    let server = start();
    let id = server.create("!say first").await;
    server.until(&id, "work_committed", 1).await;
    let file = attach(&server, "report.csv", b"a,b\n1,2\n").await;
    let (status, accepted) =
        server.post(&format!("/sessions/{id}/prompts"), json!({"text": " ", "attachments": [file]})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let log = server.until(&id, "work_committed", 2).await;
    let prompts: Vec<_> = log.iter().filter(|entry| entry["event"]["type"] == "prompt_queued").collect();
    assert_eq!(prompts[1]["event"]["text"], "See the attached report.csv.");

    let path = server.place.path("picture.png");
    std::fs::write(&path, PNG).unwrap();
    server.place.say(&["prompt", &id, "look at this", "--attach", path.to_str().unwrap()]);
    let log = server.until(&id, "work_committed", 3).await;
    let prompts: Vec<_> = log.iter().filter(|entry| entry["event"]["type"] == "prompt_queued").collect();
    assert_eq!(prompts[2]["event"]["attachments"][0]["name"], "picture.png");
    assert!(server.place.say(&["logs", &id]).contains("look at this with picture.png"));
    server.clear().await;
}

#[tokio::test]
async fn what_is_given_back_can_do_nothing() {
    let server = start();
    for (name, content, kind, disposition) in [
        ("a.png", PNG, "image/png", "inline"),
        ("a.html", b"<script>alert(1)</script>".as_slice(), "text/plain; charset=utf-8", "inline"),
        ("a.svg", b"<svg onload='alert(1)'/>", "text/plain; charset=utf-8", "inline"),
        ("a.pdf", b"%PDF-1.7", "application/octet-stream", "attachment"),
        ("a.png", b"\0\x01", "application/octet-stream", "attachment"),
    ] {
        let file = attach(&server, name, content).await;
        let path = format!("/api/v1/attachments/{}", file["id"].as_str().unwrap());
        let answer = server.request(Method::GET, &path).send().await.unwrap();
        let head = |name: header::HeaderName| answer.headers()[name].to_str().unwrap();
        assert_eq!((head(header::CONTENT_TYPE), head(header::CONTENT_DISPOSITION)), (kind, disposition));
        assert_eq!(head(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(
            head(header::CONTENT_SECURITY_POLICY),
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        );
        assert_eq!(answer.bytes().await.unwrap(), content);
    }
}

#[tokio::test]
async fn what_cannot_be_attached_is_refused_with_the_reason() {
    let server = start();
    let check = |(status, problem): (StatusCode, Value), expected: StatusCode, code: &str| {
        assert_eq!((status, &problem["code"]), (expected, &json!(code)), "{problem}");
        assert!(!problem["what_to_do"].as_str().unwrap().is_empty());
    };
    let limit = lamplight_engine::ATTACHMENT_BYTES;
    assert_eq!(upload(&server, "whole", &vec![b'x'; limit]).await.0, StatusCode::CREATED);
    let over = upload(&server, "over", &vec![b'x'; limit + 1]).await;
    check(over, StatusCode::PAYLOAD_TOO_LARGE, "attachment_too_large");
    let nameless = server.request(Method::POST, "/api/v1/attachments").body("x").send().await.unwrap();
    assert_eq!(nameless.status(), StatusCode::BAD_REQUEST);

    let id = server.create("!say first").await;
    let prompts = format!("/sessions/{id}/prompts");
    for unknown in ["ab".repeat(32), "../../lamplight.toml".to_owned()] {
        let body = json!({"text": "look", "attachments": [{"id": unknown, "name": "x"}]});
        check(server.post(&prompts, body).await, StatusCode::NOT_FOUND, "attachment_not_found");
        let path = format!("/attachments/{}", unknown.replace('/', "%2F"));
        check(server.get(&path).await, StatusCode::NOT_FOUND, "attachment_not_found");
    }
    let file = attach(&server, "x.txt", b"x").await;
    let body = json!({"text": "look", "attachments": vec![file; 11]});
    check(server.post(&prompts, body).await, StatusCode::BAD_REQUEST, "too_many_attachments");
    server.clear().await;
}
