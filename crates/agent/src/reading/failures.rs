//! What an agent's error means: whether trying again helps, or a person has to do something. Agents agree on little
//! here, so the words count as much as the code.

use lamplight_domain::{Failure, FailureClass};
use serde_json::Value;

/// ACP's "auth required".
const AUTHENTICATION_REQUIRED: i64 = -32000;
/// How much of an agent's own words goes into a failure.
const MAX_DETAIL_CHARS: usize = 500;

const KEY_WORDS: [&str; 7] = [
    "authentication",
    "unauthorized",
    "invalid api key",
    "invalid_api_key",
    "incorrect api key",
    "invalid x-api-key",
    "no model key",
];
const LIMIT_WORDS: [&str; 4] = ["rate limit", "rate_limit", "too many requests", "overloaded"];
const MONEY_WORDS: [&str; 4] =
    ["insufficient_quota", "exceeded your current quota", "credit balance", "billing"];
const NETWORK_WORDS: [&str; 12] = [
    "could not connect",
    "cannot connect",
    "network error",
    "stream decode error",
    "econnreset",
    "econnrefused",
    "etimedout",
    "timed out",
    "socket hang up",
    "connection error",
    "stream disconnected",
    "service unavailable",
];

/// How goose begins when it tells an error as if it were an answer.
const GOOSE_ERRORS: [&str; 2] = ["Ran into this error: ", "Network error: "];

/// The failure that a message of the agent's tells in its text; `None` for everything else. Only to be believed when it
/// is the last thing said in a turn.
pub(super) fn told_as_text(text: &str) -> Option<Failure> {
    let text = text.trim_start();
    if !GOOSE_ERRORS.iter().any(|beginning| text.starts_with(beginning)) {
        return None;
    }
    let first = text.lines().next().unwrap_or(text);
    Some(failure(None, first, &text.to_lowercase()))
}

/// Reads a JSON-RPC error object.
pub(super) fn of(error: &Value) -> Failure {
    let code = error.get("code").and_then(Value::as_i64);
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
    let mut detail = message.to_owned();
    if let Some(more) = error.get("data").and_then(detail_of).filter(|more| *more != message) {
        detail = format!("{message}: {more}");
    }
    let words = format!("{message} {}", error.get("data").unwrap_or(&Value::Null)).to_lowercase();
    failure(code, &detail, &words)
}

fn failure(code: Option<i64>, detail: &str, words: &str) -> Failure {
    let detail: String = detail.chars().take(MAX_DETAIL_CHARS).collect();
    let (class, what_to_do) = classify(code, words);
    Failure::agent(class, format!("The agent says: {}. {what_to_do}", detail.trim_end_matches('.')))
}

/// What agents put the real reason into.
fn detail_of(data: &Value) -> Option<&str> {
    data.as_str().or_else(|| {
        ["details", "message", "error"].iter().find_map(|name| data.get(name).and_then(Value::as_str))
    })
}

fn classify(code: Option<i64>, words: &str) -> (FailureClass, &'static str) {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let status = |number: &str| words.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == number);
    let authentication = matches!(code, Some(AUTHENTICATION_REQUIRED | 401 | 403)) || says(&KEY_WORDS);
    if says(&MONEY_WORDS) || status("402") {
        (
            FailureClass::NeedsYou,
            "The model's vendor wants to be paid: see your account there, then prompt again.",
        )
    } else if authentication || status("401") {
        (
            FailureClass::NeedsYou,
            "The model refused the key: store a valid one (`lamplight keys set openai`, or anthropic), then prompt again.",
        )
    } else if code == Some(429) || says(&LIMIT_WORDS) || status("429") {
        (FailureClass::Transient, "The model is asked too often at the moment; it may work again shortly.")
    } else if says(&NETWORK_WORDS) || ["500", "502", "503", "504", "529"].into_iter().any(status) {
        (FailureClass::Transient, "The model could not be reached; it may work again shortly.")
    } else {
        (FailureClass::Persistent, "Prompt again in other words, or choose another model or agent.")
    }
}
