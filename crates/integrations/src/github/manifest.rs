//! Making a GitHub App: what it should be is sent along by a person's browser, and GitHub gives a code for what it made of it.
//!
//! Source: docs.github.com, "Registering a GitHub App from a manifest".

use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// For the answer.
const WAIT: Duration = Duration::from_secs(30);
/// What an App of ours may do, and what it is told of; no `workflows`, so that GitHub refuses pushes that change them.
pub const PERMISSIONS: [(&str, &str); 5] = [
    ("checks", "read"),
    ("contents", "write"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
];
pub const EVENTS: [&str; 7] = [
    "check_run",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
];

/// What GitHub made.
#[derive(Clone, Deserialize)]
pub struct NewApp {
    pub id: u64,
    pub slug: String,
    /// For people.
    pub html_url: String,
    pub pem: String,
    /// Missing where it has no webhook.
    #[serde(default)]
    pub webhook_secret: Option<String>,
}

impl fmt::Debug for NewApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApp").field("id", &self.id).field("slug", &self.slug).finish_non_exhaustive()
    }
}

/// What is asked for. Without a public address it gets no webhook.
pub fn manifest(name: &str, home: &str, redirect: &str, webhook: Option<&str>) -> Value {
    let permissions: serde_json::Map<String, Value> =
        PERMISSIONS.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect();
    let mut manifest = json!({
        "name": name,
        "url": home,
        "redirect_url": redirect,
        "public": false,
        "default_permissions": permissions,
    });
    if let Some(webhook) = webhook {
        manifest["hook_attributes"] = json!({ "url": webhook, "active": true });
        manifest["default_events"] = json!(EVENTS);
    }
    manifest
}

/// Takes what was made, once for each code. `api` is the address of the REST interface.
pub async fn take_app(api: &str, code: &str) -> Result<NewApp, String> {
    let client = reqwest::Client::builder().timeout(WAIT).user_agent("lamplight").build();
    let client = client.map_err(|error| error.to_string())?;
    let address = format!("{api}/app-manifests/{code}/conversions");
    let answer = client.post(address).header("accept", "application/vnd.github+json").send().await;
    let answer = answer.map_err(|error| error.without_url().to_string())?;
    match answer.status() {
        status if status.is_success() => answer.json().await.map_err(|error| error.without_url().to_string()),
        status => Err(format!("it answered {status}")),
    }
}
