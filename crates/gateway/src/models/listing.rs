//! What an upstream says it has: asked by this process for people who choose, not by a sandbox.

use super::Backend;
use super::price::Price;
use crate::serve::Door;
use crate::{Upstream, UpstreamName};
use lamplight_domain::Redactor;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// From asking to the end of the answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A longer answer is none.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Models of one upstream; the rest is left out.
const MODELS: usize = 2000;
/// Characters of what an upstream says where it refuses.
const MESSAGE_CHARS: usize = 300;
/// Parts of the names of models that no agent can talk with.
const NOT_FOR_AGENTS: [&str; 10] = [
    "embedding",
    "tts",
    "whisper",
    "dall-e",
    "moderation",
    "realtime",
    "transcribe",
    "gpt-image",
    "sora",
    "audio",
];

/// One model that can be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// As it is asked for; of an upstream of the configuration's with its name in front, as sessions name it.
    pub id: String,
    /// As people call it, where the upstream says so.
    pub title: Option<String>,
    pub price: Option<Price>,
}

/// Why an upstream did not say what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlisted {
    NotConfigured,
    /// With this HTTP status, and what it said.
    Refused {
        status: u16,
        message: String,
    },
    Unreachable {
        why: String,
    },
    /// It answered something else.
    Strange {
        why: String,
    },
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured => f.write_str("there is neither a key nor an address"),
            Self::Refused { status, message } if message.is_empty() => write!(f, "refused with {status}"),
            Self::Refused { status, message } => write!(f, "refused with {status}: {message}"),
            Self::Unreachable { why } => write!(f, "not reachable: {why}"),
            Self::Strange { why } => write!(f, "no list of models came: {why}"),
        }
    }
}

impl Unlisted {
    /// Says what to do where a key is wanted and there is none.
    fn explained(self, backend: Option<&Backend>) -> Self {
        match self {
            Self::Refused { status, message } => {
                let hint = backend.and_then(|backend| backend.wants_a_key(status));
                let parts = [message, hint.unwrap_or_default()];
                let said: Vec<&str> =
                    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
                Self::Refused { status, message: said.join(" ") }
            }
            Self::NotConfigured | Self::Unreachable { .. } | Self::Strange { .. } => self,
        }
    }

    /// An upstream may repeat the key that it was asked with.
    fn without(self, redactor: &Redactor) -> Self {
        let clean = |text: String| -> String {
            let text = redactor.text(&text).into_owned();
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS).collect()
        };
        match self {
            Self::NotConfigured => Self::NotConfigured,
            Self::Refused { status, message } => Self::Refused { status, message: clean(message) },
            Self::Unreachable { why } => Self::Unreachable { why: clean(why) },
            Self::Strange { why } => Self::Strange { why: clean(why) },
        }
    }
}

pub(crate) async fn list(door: &Door, name: &UpstreamName) -> Result<Vec<Model>, Unlisted> {
    let upstream = door.upstream(name).ok_or(Unlisted::NotConfigured)?;
    let asked = tokio::time::timeout(ANSWER, ask(door, name, &upstream));
    let late = || Unlisted::Unreachable { why: format!("no answer within {} s", ANSWER.as_secs()) };
    let (asked, ()) = tokio::join!(asked, door.price_lists());
    let listed = asked.unwrap_or_else(|_| Err(late())).and_then(|answer| read(name, &answer));
    let backend = door.backend(name);
    let mut models = listed.map_err(|why| why.without(&door.redactor()).explained(backend.as_deref()))?;
    if let Some(backend) = backend {
        let prices = backend.prices(&door.prices);
        for model in &mut models {
            model.price = prices.per_million(&model.id);
        }
    }
    for model in &mut models {
        model.id = name.qualify(std::mem::take(&mut model.id));
    }
    Ok(models)
}

async fn ask(door: &Door, name: &UpstreamName, upstream: &Upstream) -> Result<Vec<u8>, Unlisted> {
    let unreachable = |error: reqwest::Error| Unlisted::Unreachable { why: innermost(&error.without_url()) };
    let client = door.client().await.map_err(unreachable)?;
    let base = upstream.base.trim_end_matches('/');
    let key = upstream.key.expose();
    let request = match name {
        UpstreamName::OpenAi | UpstreamName::Compatible(_) => {
            client.get(format!("{base}/models")).bearer_auth(key)
        }
        // Source: Anthropic's API reference, "List Models".
        UpstreamName::Anthropic => client
            .get(format!("{base}/v1/models?limit=1000"))
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01"),
        // Source: the Gemini API's reference, `models.list`.
        UpstreamName::Gemini => {
            client.get(format!("{base}/v1beta/models?pageSize=1000")).header("x-goog-api-key", key)
        }
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + piece.len() > ANSWER_BYTES {
            return Err(Unlisted::Strange { why: format!("more than {} MiB", ANSWER_BYTES >> 20) });
        }
        body.extend_from_slice(&piece);
    }
    if status.is_success() {
        return Ok(body);
    }
    Err(Unlisted::Refused { status: status.as_u16(), message: message(&body) })
}

/// The words of the error that is behind the others.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// All vendors say it at the same place.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refused {
        error: Said,
    }
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    serde_json::from_slice::<Refused>(body).map(|refused| refused.error.message).unwrap_or_default()
}

/// Any vendor's list.
#[derive(Deserialize)]
struct List {
    #[serde(alias = "models")]
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(alias = "name")]
    id: String,
    #[serde(default, alias = "displayName")]
    display_name: Option<String>,
    #[serde(default, rename = "supportedGenerationMethods")]
    methods: Option<Vec<String>>,
}

fn read(name: &UpstreamName, answer: &[u8]) -> Result<Vec<Model>, Unlisted> {
    let list: List =
        serde_json::from_slice(answer).map_err(|error| Unlisted::Strange { why: error.to_string() })?;
    let is_for_agents = |listed: &Listed| match name {
        UpstreamName::OpenAi | UpstreamName::Compatible(_) => {
            !NOT_FOR_AGENTS.iter().any(|part| listed.id.contains(part))
        }
        UpstreamName::Anthropic => true,
        UpstreamName::Gemini => listed
            .methods
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|method| method == "generateContent")),
    };
    let model = |listed: Listed| {
        let id = listed.id.strip_prefix("models/").unwrap_or(&listed.id).to_owned();
        Model { id, title: listed.display_name, price: None }
    };
    let mut models: Vec<Model> =
        list.data.into_iter().filter(is_for_agents).take(MODELS).map(model).collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    models.dedup_by(|a, b| a.id == b.id);
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(name: UpstreamName, answer: &str) -> Vec<String> {
        read(&name, answer.as_bytes()).unwrap().into_iter().map(|model| model.id).collect()
    }

    #[test]
    fn each_vendors_list_is_read() {
        let openai = r#"{"object":"list","data":[{"id":"gpt-5.1","object":"model","created":1,"owned_by":"x"},
            {"id":"text-embedding-3-small"},{"id":"whisper-1"},{"id":"gpt-4o-realtime-preview"},{"id":"gpt-5.1"}]}"#;
        assert_eq!(ids(UpstreamName::OpenAi, openai), ["gpt-5.1"]);
        let anthropic = r#"{"data":[{"type":"model","id":"claude-sonnet-4-5","display_name":"Claude Sonnet 4.5",
            "created_at":"2025-09-29T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"a"}"#;
        let models = read(&UpstreamName::Anthropic, anthropic.as_bytes()).unwrap();
        assert_eq!(models[0].title.as_deref(), Some("Claude Sonnet 4.5"));
        let gemini = r#"{"models":[{"name":"models/gemini-2.5-pro","displayName":"Gemini 2.5 Pro",
            "supportedGenerationMethods":["generateContent"]},{"name":"models/embedding-001","supportedGenerationMethods":["embedContent"]}]}"#;
        assert_eq!(ids(UpstreamName::Gemini, gemini), ["gemini-2.5-pro"]);
        assert!(matches!(read(&UpstreamName::OpenAi, b"<html>"), Err(Unlisted::Strange { .. })));
    }

    #[test]
    fn a_refusal_is_told_in_the_vendors_words() {
        assert_eq!(message(br#"{"error":{"message":"Incorrect API key","code":"x"}}"#), "Incorrect API key");
        assert_eq!(
            message(
                br#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#
            ),
            "invalid x-api-key"
        );
        assert_eq!(message(b"nothing"), "");
    }
}
