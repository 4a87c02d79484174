//! What it sends by itself, as GitHub does: signed, under a number of its own, once. What does not arrive is not sent again unless somebody asks.

use crate::content::{Comment, person};
use crate::{FakeGitHub, Shared, now_s};
use ring::hmac;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For an answer. Source: docs.github.com, "Best practices for using webhooks".
const WAIT: Duration = Duration::from_secs(10);

/// Where it is sent to.
#[derive(Debug, Clone)]
pub struct Hook {
    /// `127.0.0.1:7410`
    pub authority: String,
    pub path: String,
    pub secret: String,
}

/// What was sent, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `X-GitHub-Delivery`.
    pub id: String,
    pub event: String,
    pub body: String,
    /// What it was answered; `None` where nothing was.
    pub status: Option<u16>,
    pub(crate) at_s: u64,
}

impl FakeGitHub {
    /// From now on what happens is sent there; `None` sends nothing, and keeps what would have been sent.
    pub fn send_to(&self, hook: Option<Hook>) {
        self.shared.state().hook = hook;
    }

    /// What deliveries of the App that was made last are signed with.
    pub fn webhook_secret(&self) -> Option<String> {
        self.shared.state().made_secret.clone()
    }

    /// All that was sent, or would have been.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.state().deliveries.clone()
    }

    /// Sends one again, under the number that it had.
    pub async fn redeliver(&self, delivery: &Delivery) -> Option<u16> {
        let hook = self.shared.state().hook.clone()?;
        post(&hook, delivery).await
    }
}

impl Shared {
    pub(crate) async fn tell_of_comment(&self, comment: &Comment) {
        let issue = self.state().told_issue(&comment.repository, comment.number);
        let more = json!({ "comment": comment.told(), "sender": person(&comment.user) });
        self.tell("issue_comment", "created", &comment.repository, issue, more).await;
    }

    pub(crate) async fn tell(
        &self,
        event: &str,
        action: &str,
        repository: &str,
        issue: Option<Value>,
        more: Value,
    ) {
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        let mut body = json!({
            "action": action,
            "issue": issue,
            "repository": { "id": 1, "name": name, "full_name": repository, "owner": person(owner), "private": false },
            "installation": { "id": crate::apps::INSTALLATION },
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
            // A push is no action on anything.
            if action.is_empty() {
                body.retain(|name, _| name != "action" && name != "issue");
            }
        }
        let (hook, mut delivery) = {
            let mut state = self.state();
            let id = state.next_id();
            let id = format!("{id:08x}-0000-11f0-8000-{id:012x}");
            (
                state.hook.clone(),
                Delivery { id, event: event.to_owned(), body: body.to_string(), status: None, at_s: now_s() },
            )
        };
        if let Some(hook) = hook {
            delivery.status = post(&hook, &delivery).await;
        }
        self.state().deliveries.push(delivery);
    }
}

/// Of a body, as `X-Hub-Signature-256` has it.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Once more, as its owner asks; GitHub counts it as another attempt.
pub(crate) async fn attempt(shared: &Shared, id: &str) -> Option<()> {
    let (hook, delivery) = {
        let state = shared.state();
        let at = id.parse::<usize>().ok()?.checked_sub(1)?;
        (state.hook.clone(), state.deliveries.get(at)?.clone())
    };
    let status = match &hook {
        Some(hook) => post(hook, &delivery).await,
        None => None,
    };
    shared.state().deliveries.push(Delivery { status, at_s: now_s(), ..delivery });
    Some(())
}

async fn post(hook: &Hook, delivery: &Delivery) -> Option<u16> {
    let signature = signature(&hook.secret, delivery.body.as_bytes());
    let Hook { authority, path, .. } = hook;
    let Delivery { id, event, body, .. } = delivery;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: GitHub-Hookshot/0000000\r\nContent-Type: application/json\r\n\
         X-GitHub-Delivery: {id}\r\nX-GitHub-Event: {event}\r\nX-GitHub-Hook-ID: 1\r\nX-GitHub-Hook-Installation-Target-Type: integration\r\n\
         X-Hub-Signature-256: {signature}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = async {
        let mut stream = TcpStream::connect(authority).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    };
    tokio::time::timeout(WAIT, answer).await.ok().flatten()
}
