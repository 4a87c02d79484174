//! Reads what an answer used while it passes. It never changes, delays or holds back a byte, and what it keeps is bounded. Beside what
//! the answer says it counts the text that it brings, for those that break off before they say it.
//!
//! | protocol | where | meaning |
//! |---|---|---|
//! | Anthropic messages | `message_start.message.usage`, then each `message_delta.usage` | cumulative: a later number replaces an earlier one; `input_tokens` is without the cache |
//! | OpenAI chat | last chunk, if it was asked for | `prompt_tokens` is with the cache |
//! | OpenAI responses | `response.completed`, `.incomplete`, `.failed` | `input_tokens` is with the cache |
//! | Gemini | `usageMetadata` of each chunk | cumulative; `promptTokenCount` is with the cache, `candidatesTokenCount` without the thoughts |
//!
//! Without streaming, the same objects are in the one document; Gemini also streams an array of them. Source: the vendors' API
//! references.

use super::Vendor;
use super::text::Text;
use lamplight_domain::transcript::Tokens;
use serde::Deserialize;

/// The longest line or object that is looked at. The last event of OpenAI's responses repeats the whole answer.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// What one answer used, with all that its price depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) model: String,
    pub(super) tokens: Tokens,
    /// The part of what was written to the cache that stays there for an hour; tokens.
    pub(super) cache_written_for_1h: u64,
    /// The vendor's own word, where it said one.
    pub(super) service_tier: Option<String>,
}

impl Spent {
    /// Nothing but this, of the usual tier.
    pub(super) fn of(model: &str, tokens: Tokens) -> Self {
        Self { model: model.to_owned(), tokens, cache_written_for_1h: 0, service_tier: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Server-sent events: one JSON object behind each `data:`.
    Events,
    /// One JSON object, or an array of them that comes bit by bit.
    Objects,
    /// Neither: whatever it is counts as text.
    Unknown,
}

/// What was seen of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) model: Option<String>,
    /// The vendor's own word.
    pub(super) service_tier: Option<String>,
    /// As the answer says it.
    pub(super) tokens: Option<Tokens>,
    pub(super) cache_written_for_1h: u64,
    /// Nothing came behind that, and nothing is missing from it.
    pub(super) is_all_said: bool,
    /// Of all that the model said as far as it came; bytes.
    pub(super) text_bytes: u64,
}

/// The running account of one answer.
pub(super) struct Meter {
    vendor: Vendor,
    format: Format,
    /// The beginning of a line or object whose end has not come.
    kept: Vec<u8>,
    /// The present one is too long, and is not read.
    too_long: bool,
    inside: Inside,
    model: Option<String>,
    service_tier: Option<String>,
    usage: Option<Usage>,
    is_all_said: bool,
    text_bytes: u64,
}

impl Meter {
    pub(super) fn new(vendor: Vendor, format: Format) -> Self {
        Self {
            vendor,
            format,
            kept: Vec::new(),
            too_long: false,
            inside: Inside::default(),
            model: None,
            service_tier: None,
            usage: None,
            is_all_said: false,
            text_bytes: 0,
        }
    }

    pub(super) fn read(&mut self, mut piece: &[u8]) {
        if self.format == Format::Unknown {
            return self.saw(piece.len() as u64);
        }
        while let Some(end) = self.end_in(piece) {
            self.end(&piece[..end]);
            piece = &piece[end..];
        }
        self.keep(piece);
    }

    /// Where the present line or object ends, if it does in this piece: behind its last byte.
    fn end_in(&mut self, piece: &[u8]) -> Option<usize> {
        let last = match self.format {
            Format::Events => piece.iter().position(|byte| *byte == b'\n'),
            Format::Objects => piece.iter().position(|byte| self.inside.ends_object(*byte)),
            Format::Unknown => None,
        };
        last.map(|last| last + 1)
    }

    /// What was seen of the whole answer, or of as much of it as came.
    pub(super) fn finish(mut self) -> Seen {
        let begun = if self.kept.contains(&b'{') { self.kept.len() as u64 } else { 0 };
        let before = self.text_bytes;
        self.end(&[]);
        // What has no end cannot be read: then all of it counts.
        if self.format == Format::Objects && self.usage.is_none() && self.text_bytes == before {
            self.text_bytes += begun;
        }
        let mut usage = self.usage;
        let written = usage.as_mut().and_then(|usage| usage.cache_creation.take());
        Seen {
            model: self.model,
            cache_written_for_1h: written.and_then(|written| written.ephemeral_1h_input_tokens).unwrap_or(0),
            service_tier: usage.as_mut().and_then(Usage::tier).or(self.service_tier),
            tokens: usage.map(|usage| usage.tokens(self.vendor)),
            is_all_said: self.is_all_said,
            text_bytes: self.text_bytes,
        }
    }

    /// So much of what the model says, which no usage tells of yet.
    fn saw(&mut self, text_bytes: u64) {
        if text_bytes > 0 {
            self.text_bytes += text_bytes;
            self.is_all_said = false;
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.too_long || self.kept.len() + piece.len() > MAX_KEPT_BYTES {
            self.too_long = true;
            let lost = std::mem::take(&mut self.kept).len() + piece.len();
            self.saw(lost as u64);
        } else {
            self.kept.extend_from_slice(piece);
        }
    }

    fn end(&mut self, rest: &[u8]) {
        if self.kept.is_empty() && !self.too_long {
            return self.take(rest);
        }
        self.keep(rest);
        let line = std::mem::take(&mut self.kept);
        if !std::mem::take(&mut self.too_long) {
            self.take(&line);
        }
    }

    fn take(&mut self, line: &[u8]) {
        let json = match self.format {
            Format::Events => line.strip_prefix(b"data:"),
            // What stands between the objects of an array belongs to the next of them.
            Format::Objects => line.iter().position(|byte| *byte == b'{').map(|start| &line[start..]),
            Format::Unknown => None,
        };
        let Some(Ok(said)) = json.map(serde_json::from_slice::<Said>) else { return };
        self.saw(said.text_bytes());
        let Said { model, service_tier, usage, usage_metadata, message, response, .. } = said;
        // The usage at the beginning of a message of Anthropic's does not know the end.
        self.is_all_said |= usage.is_some() || usage_metadata.is_some() || response_says(&response);
        let usage = usage.or(usage_metadata);
        let inner = message.or(response).unwrap_or_default();
        if let Some(model) = inner.model.or(model) {
            self.model = Some(model);
        }
        if let Some(tier) = inner.service_tier.or(service_tier) {
            self.service_tier = Some(tier);
        }
        if let Some(usage) = inner.usage.or(usage) {
            self.usage.get_or_insert_default().replace(usage);
        }
    }
}

fn response_says(response: &Option<Inner>) -> bool {
    response.as_ref().is_some_and(|response| response.usage.is_some())
}

/// How deep in JSON a byte is.
#[derive(Default)]
struct Inside {
    objects: u32,
    string: bool,
    escape: bool,
}

impl Inside {
    /// Takes the next byte; whether an outermost object ends with it.
    fn ends_object(&mut self, byte: u8) -> bool {
        let escaped = std::mem::take(&mut self.escape);
        match byte {
            b'\\' if self.string && !escaped => self.escape = true,
            b'"' if !escaped => self.string = !self.string,
            b'{' if !self.string => self.objects = self.objects.saturating_add(1),
            b'}' if !self.string => {
                let ends = self.objects == 1;
                self.objects = self.objects.saturating_sub(1);
                return ends;
            }
            _ => {}
        }
        false
    }
}

/// An event or a document, of any of the protocols.
#[derive(Deserialize)]
struct Said {
    #[serde(alias = "modelVersion")]
    model: Option<String>,
    service_tier: Option<String>,
    usage: Option<Usage>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<Usage>,
    message: Option<Inner>,
    response: Option<Inner>,
    /// Where the text is: of Anthropic and OpenAI's responses, of chats, of Gemini, and of documents.
    #[serde(default)]
    delta: Text,
    #[serde(default)]
    choices: Text,
    #[serde(default)]
    candidates: Text,
    #[serde(default)]
    content: Text,
    #[serde(default)]
    output: Text,
}

impl Said {
    fn text_bytes(&self) -> u64 {
        [&self.delta, &self.choices, &self.candidates, &self.content, &self.output]
            .into_iter()
            .map(|text| text.0)
            .sum()
    }
}

#[derive(Default, Deserialize)]
struct Inner {
    model: Option<String>,
    service_tier: Option<String>,
    usage: Option<Usage>,
}

/// The counts of any of the protocols; all are tokens.
#[derive(Default, Deserialize)]
struct Usage {
    #[serde(alias = "prompt_tokens", alias = "promptTokenCount")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens", alias = "candidatesTokenCount")]
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    #[serde(alias = "cachedContentTokenCount")]
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    #[serde(alias = "serviceTier")]
    service_tier: Option<String>,
    /// Anthropic's other word for a tier with a price of its own.
    speed: Option<String>,
    #[serde(alias = "prompt_tokens_details")]
    input_tokens_details: Option<Details>,
    #[serde(alias = "completion_tokens_details")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use_prompt: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: Option<u64>,
}

#[derive(Default, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct OutputDetails {
    #[serde(alias = "thinking_tokens")]
    reasoning_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

impl Usage {
    fn replace(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
        self.speed = later.speed.or(self.speed.take());
        self.input_tokens_details = later.input_tokens_details.or(self.input_tokens_details.take());
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.tool_use_prompt = later.tool_use_prompt.or(self.tool_use_prompt);
        self.thoughts = later.thoughts.or(self.thoughts);
    }

    /// What decides about the price beside the model, where it was said.
    fn tier(&mut self) -> Option<String> {
        self.speed.take().filter(|speed| speed != "standard").or(self.service_tier.take())
    }

    fn tokens(self, vendor: Vendor) -> Tokens {
        let input = self.input_tokens.unwrap_or(0);
        let output = self.output_tokens.unwrap_or(0);
        let reasoning = self.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0);
        match vendor {
            Vendor::Anthropic => {
                let cached = self.cache_read_input_tokens.unwrap_or(0);
                let written = self.cache_creation_input_tokens.unwrap_or(0);
                let input = input.saturating_add(cached).saturating_add(written);
                Tokens { input, output, cached, cache_written: written, reasoning }
            }
            Vendor::Gemini => {
                let thoughts = self.thoughts.unwrap_or(0);
                Tokens {
                    input: input.saturating_add(self.tool_use_prompt.unwrap_or(0)),
                    output: output.saturating_add(thoughts),
                    cached: self.cache_read_input_tokens.unwrap_or(0),
                    cache_written: 0,
                    reasoning: thoughts,
                }
            }
            Vendor::OpenAi => {
                let details = self.input_tokens_details.unwrap_or_default();
                let (cached, written) = (details.cached_tokens, details.cache_write_tokens);
                Tokens {
                    input,
                    output,
                    cached: cached.unwrap_or(0),
                    cache_written: written.unwrap_or(0),
                    reasoning,
                }
            }
        }
    }
}
