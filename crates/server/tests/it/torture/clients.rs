//! Those who ask meanwhile: each of one session, of whichever server answers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

/// Before something that was not answered is asked again.
const AGAIN: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(20);
/// Prompts of a session.
pub(super) const PROMPTS: usize = 3;

/// Whoever asks, at both servers by turns.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    bases: [String; 2],
    turn: usize,
}

/// What came of a session's asking.
pub(super) struct Asked {
    pub(super) session: String,
    /// The ids of prompts that were accepted by a server.
    pub(super) accepted: Vec<String>,
    /// How many requests got no answer that says whether they were.
    pub(super) unknown: usize,
}

impl Client {
    pub(super) fn new(bases: [String; 2], turn: usize) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(ANSWER).build().unwrap();
        Self { http, bases, turn }
    }

    /// What the next server says; `None` if it says nothing.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: &Body,
    ) -> Option<(StatusCode, Value)> {
        self.turn += 1;
        let url = format!("{}/api/v1{path}", self.bases[self.turn % 2]);
        let request = self.http.request(method, url);
        let request = match body {
            Body::None => request,
            Body::Json(json, Some(key)) => request.json(json).header("idempotency-key", key),
            Body::Json(json, None) => request.json(json),
            Body::File(text) => request.body(text.clone()),
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Nothing of it was sent.
            Err(error) if error.is_connect() => return Some((StatusCode::SERVICE_UNAVAILABLE, Value::Null)),
            Err(_) => return None,
        };
        let status = answer.status();
        Some((status, serde_json::from_slice(&answer.bytes().await.ok()?).unwrap_or(Value::Null)))
    }

    /// Asks until it is done, what may be asked again.
    pub(super) async fn insist(&mut self, method: Method, path: &str, body: Body) -> Value {
        loop {
            match self.ask(method.clone(), path, &body).await {
                Some((status, answer)) if status.is_success() => return answer,
                Some((status, answer)) => {
                    assert!(status.is_server_error() || is_passing(&answer), "{path}: {status} {answer}");
                }
                None => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

pub(super) enum Body {
    None,
    /// With an idempotency key, if it may be asked again.
    Json(Value, Option<String>),
    File(String),
}

/// What was refused and is not for ever.
fn is_passing(answer: &Value) -> bool {
    ["turn_running", "attachment_not_found"].iter().any(|code| answer["code"] == *code)
}

/// So many sessions, one after the other within this time.
pub(super) fn begin(count: u32, within: Duration, bases: &[String; 2], repository: &Path) -> JoinSet<Asked> {
    let mut clients = JoinSet::new();
    for number in 0..count {
        let (bases, repository) = (bases.clone(), repository.to_owned());
        clients.spawn(async move {
            tokio::time::sleep(within * number / count).await;
            let number = number as usize;
            session(Client::new(bases, number), number, repository).await
        });
    }
    clients
}

async fn session(mut client: Client, number: usize, repository: PathBuf) -> Asked {
    let file = upload(&mut client, number, 0).await;
    // An agent that has lost its memory does again what it is told that was said.
    let limits = json!({"steps": 1000, "identical_calls": 100, "failures_in_a_row": 100});
    let new = json!({
        "repository": repository, "prompt": text(number, 0), "attachments": [file], "limits": limits
    });
    let view =
        client.insist(Method::POST, "/sessions", Body::Json(new, Some(format!("session-{number}")))).await;
    let session = view["id"].as_str().unwrap().to_owned();
    let mut asked = Asked { session, accepted: Vec::new(), unknown: 0 };
    for prompt in 1..PROMPTS {
        let file = upload(&mut client, number, prompt).await;
        let path = format!("/sessions/{}/prompts", asked.session);
        let body = Body::Json(json!({"text": text(number, prompt), "attachments": [file]}), None);
        loop {
            match client.ask(Method::POST, &path, &body).await {
                Some((status, answer)) if status.is_success() => {
                    asked.accepted.push(answer["prompt"].as_str().unwrap().to_owned());
                    break;
                }
                Some((status, answer)) => assert!(
                    status == StatusCode::SERVICE_UNAVAILABLE || is_passing(&answer),
                    "{path}: {status} {answer}"
                ),
                // It may have been taken: whoever does not know does not ask twice.
                None => {
                    asked.unknown += 1;
                    break;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
    asked
}

async fn upload(client: &mut Client, number: usize, prompt: usize) -> Value {
    let path = format!("/attachments?name=in-{prompt}.txt");
    let file = client.insist(Method::POST, &path, Body::File(format!("in {number} {prompt}"))).await;
    json!({"id": file["id"], "name": format!("in-{prompt}.txt")})
}

/// Reads its file, writes one, asks a model, offers a result, and is at it for a while.
fn text(number: usize, prompt: usize) -> String {
    format!(
        "!run cat /home/agent/attachments/*/in-{prompt}.txt > in-{prompt}.txt || true\n\
         !run mkdir -p .lamplight/artifacts && echo out {number} {prompt} > .lamplight/artifacts/out-{prompt}.txt\n\
         {}!stream 20 50\n!write done-{prompt}.txt {number}\n!say done {prompt}.",
        crate::usage::chat()
    )
}
