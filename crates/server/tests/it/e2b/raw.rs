//! A client of our own that can say what no SDK would.

use crate::support::{PATIENCE, Server, answer, find_pid};
use lamplight_e2b::connect::{END, Message, encode};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What every key looks like where there is no sign-in.
pub(super) const KEY: &str = "e2b_0123456789abcdef0123456789abcdef01234567";

pub(super) struct Cloud {
    pub(super) server: Server,
    pub(super) key: String,
}

/// A sandbox, and what lets one in.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    pub(super) id: String,
    pub(super) token: String,
}

impl Cloud {
    pub(super) fn of(server: Server) -> Self {
        Self { server, key: KEY.to_owned() }
    }

    pub(super) async fn control(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.server.request(method, path).header("X-API-Key", &self.key);
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub(super) async fn create(&self, body: Value) -> Sandbox {
        let (status, made) = self.control(Method::POST, "/v2/sandboxes", body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Sandbox { id: text("sandboxID"), token: text("envdAccessToken") }
    }

    pub(super) async fn kill(&self, sandbox: &Sandbox) -> StatusCode {
        self.control(Method::DELETE, &format!("/sandboxes/{}", sandbox.id), Value::Null).await.0
    }

    /// To envd.
    pub(super) fn inside(&self, sandbox: &Sandbox, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.server.request(method, path).header("E2b-Sandbox-Id", &sandbox.id);
        request.header("E2b-Sandbox-Port", "49983").header("X-Access-Token", &sandbox.token)
    }

    pub(super) async fn health(&self, sandbox: &Sandbox) -> StatusCode {
        self.inside(sandbox, Method::GET, "/health").send().await.unwrap().status()
    }

    /// Starts a shell command; what comes of it is on the stream.
    pub(super) async fn start(&self, sandbox: &Sandbox, command: &str) -> reqwest::Response {
        let message = json!({"process": {"cmd": "/bin/bash", "args": ["-c", command]}, "stdin": false});
        let request = self.inside(sandbox, Method::POST, "/process.Process/Start");
        let request = request.header("Content-Type", "application/connect+json");
        request.body(encode(&message)).send().await.unwrap()
    }

    /// What a command prints.
    pub(super) async fn say(&self, sandbox: &Sandbox, command: &str) -> Result<String, String> {
        let bytes = self.start(sandbox, command).await.bytes().await.map_err(|error| error.to_string())?;
        printed(&bytes)
    }

    /// Runs a command as root, and waits for its end.
    pub(super) async fn as_root(&self, sandbox: &Sandbox, command: &str) {
        let message = json!({"process": {"cmd": "/bin/sh", "args": ["-ec", command]}, "stdin": false});
        let request =
            self.inside(sandbox, Method::POST, "/process.Process/Start").basic_auth("root", Some(""));
        let request = request.header("Content-Type", "application/connect+json").body(encode(&message));
        let said = request.send().await.unwrap().text().await.unwrap();
        assert!(said.contains("exit status 0"), "{said}");
    }

    pub(super) async fn write(&self, sandbox: &Sandbox, path: &str, content: Vec<u8>) -> StatusCode {
        let request = self.inside(sandbox, Method::POST, &format!("/files?path={path}"));
        let request = request.header("Content-Type", "application/octet-stream");
        request.body(content).send().await.unwrap().status()
    }

    pub(super) async fn read(&self, sandbox: &Sandbox, path: &str) -> (StatusCode, String) {
        let answer = self.inside(sandbox, Method::GET, &format!("/files?path={path}")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Of no sandbox that was lent is anything left, on disk or running.
    pub(super) async fn nothing_is_left(&self) {
        let begun = Instant::now();
        loop {
            let records = crate::support::sandbox_records(&self.server.place.path("data/sandboxes"));
            let running = records.iter().filter(|record| {
                let record =
                    std::fs::read(record).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
                let pid = record.as_ref().and_then(find_pid);
                pid.is_some_and(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists())
            });
            let (running, known) = (running.count(), self.server.get("/sandboxes").await.1);
            if records.is_empty() && running == 0 && known["items"] == json!([]) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{} records, {running} processes, {known}", records.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The standard output in a stream that came to its end.
fn printed(bytes: &[u8]) -> Result<String, String> {
    let mut rest = bytes::BytesMut::from(bytes);
    let mut said = Vec::new();
    while let Some(message) = Message::decode(&mut rest).map_err(|error| error.message)? {
        let text = String::from_utf8_lossy(&message.text).into_owned();
        if message.flags & END != 0 {
            return if text == "{}" { Ok(String::from_utf8(said).unwrap()) } else { Err(text) };
        }
        let message: lamplight_e2b::process::EventResponse = serde_json::from_str(&text).unwrap();
        if let lamplight_e2b::process::Event::Data(lamplight_e2b::process::Data::Stdout(bytes)) =
            message.event
        {
            said.extend_from_slice(&bytes.0);
        }
    }
    Err("the stream has no end".to_owned())
}
