//! The protocols models are spoken to by: what a request means, how an answer and an error look.

mod chat;
mod messages;
mod responses;

use serde_json::{Value, json};

use crate::asked::{Asked, Message, fingerprint};
use crate::reply::{Frame, Ids, Reply};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    /// OpenAI chat completions: <https://platform.openai.com/docs/api-reference/chat>
    Chat,
    /// OpenAI responses: <https://platform.openai.com/docs/api-reference/responses>
    Responses,
    /// Anthropic messages: <https://docs.anthropic.com/en/api/messages>
    Messages,
}

/// Why a request is refused: an HTTP status and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misuse {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Misuse {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    pub(crate) fn read(self, body: &[u8]) -> Result<Asked, Misuse> {
        let json: Value = serde_json::from_slice(body).map_err(|error| {
            Misuse::invalid(format!("We could not parse the JSON body of your request: {error}"))
        })?;
        let asked = Asked {
            model: text_at(&json, "model")?,
            stream: json["stream"].as_bool().unwrap_or(false),
            system: String::new(),
            messages: vec![],
            tools: vec![],
            thinking: false,
            answer_schema: None,
            usage_in_stream: true,
            bytes: body.len(),
            fingerprint: fingerprint(body),
        };
        match self {
            Self::Chat => chat::read(&json, asked),
            Self::Responses => responses::read(&json, asked),
            Self::Messages => messages::read(&json, asked),
        }
    }

    /// The answer to a request that does not ask for a stream.
    pub(crate) fn whole(self, asked: &Asked, reply: &Reply) -> Value {
        let ids = Ids(asked.fingerprint);
        match self {
            Self::Chat => chat::whole(asked, reply, ids),
            Self::Responses => responses::whole(asked, reply, ids),
            Self::Messages => messages::whole(asked, reply, ids),
        }
    }

    /// The answer as a stream.
    pub(crate) fn frames(self, asked: &Asked, reply: &Reply) -> Vec<Frame> {
        let ids = Ids(asked.fingerprint);
        match self {
            Self::Chat => chat::frames(asked, reply, ids),
            Self::Responses => responses::frames(asked, reply, ids),
            Self::Messages => messages::frames(asked, reply, ids),
        }
    }

    pub(crate) fn error(self, status: u16, message: &str) -> Value {
        match self {
            Self::Chat | Self::Responses => {
                let (kind, code) = match status {
                    401 => ("invalid_request_error", json!("invalid_api_key")),
                    429 => ("requests", json!("rate_limit_exceeded")),
                    status if status >= 500 => ("server_error", Value::Null),
                    _ => ("invalid_request_error", Value::Null),
                };
                json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
            }
            Self::Messages => {
                let kind = match status {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    status if status >= 500 => "api_error",
                    _ => "invalid_request_error",
                };
                json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
            }
        }
    }
}

/// The tokens that a request would cost (`/messages/count_tokens`).
pub(crate) fn token_count(body: &[u8]) -> Result<Value, Misuse> {
    let json: Value = serde_json::from_slice(body).map_err(|error| Misuse::invalid(error.to_string()))?;
    text_at(&json, "model")?;
    Ok(json!({"input_tokens": body.len() / 4 + 1}))
}

fn text_at(json: &Value, field: &str) -> Result<String, Misuse> {
    json[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Misuse::invalid(format!("you must provide a {field} parameter")))
}

/// All the text in a `content`, which is a string or a list of parts that may have a `text`.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<_> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// An assistant message with this tool call in it.
fn assistant(call: Option<&str>) -> Message {
    Message::Assistant { answer: call.and_then(Ids::answer_of) }
}

/// The schema in a request's `format`, where there is one.
fn schema_of(format: &Value) -> Option<Value> {
    format.get("schema").filter(|schema| schema.is_object()).cloned()
}

fn push_line(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}
