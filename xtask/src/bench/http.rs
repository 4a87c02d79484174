//! The few requests that a measurement makes, a connection each: JSON both ways.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Request;

/// Longer than any answer takes.
const ANSWER: Duration = Duration::from_secs(60);

/// One server, asked too early, takes the request and never answers it.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// Whether it answers already, and with success.
pub(super) fn answers(url: &str) -> Result<()> {
    ask("GET", url, None, FIRST_ANSWER).map(drop)
}

pub(super) fn get(url: &str) -> Result<Value> {
    json(url, &ask("GET", url, None, ANSWER)?)
}

pub(super) fn post(url: &str, body: &Value) -> Result<Value> {
    json(url, &ask("POST", url, Some(body), ANSWER)?)
}

fn json(url: &str, answer: &[u8]) -> Result<Value> {
    serde_json::from_slice(answer).with_context(|| format!("read the answer of {url}"))
}

/// The answer's body, if its status is one of success. `url` is such as `http://127.0.0.1:7410/healthz`.
fn ask(method: &str, url: &str, body: Option<&Value>, patience: Duration) -> Result<Vec<u8>> {
    let config = Agent::config_builder().proxy(None).timeout_global(Some(patience)).max_idle_connections(0);
    let agent = Agent::new_with_config(config.http_status_as_error(false).build());
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json");
    let mut answer = agent.run(request.body(body.map(Value::to_string).unwrap_or_default())?)?;
    let status = answer.status();
    let body = answer.body_mut().read_to_vec().with_context(|| format!("read the answer of {url}"))?;
    if !status.is_success() {
        bail!("{method} {url} was answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(body)
}
