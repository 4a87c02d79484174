//! Reads what an answer cost while it passes. It never changes, delays or holds back a byte, and what it keeps is bounded.
//!
//! | protocol | where | meaning |
//! |---|---|---|
//! | Anthropic messages | `message_start.message.usage`, then each `message_delta.usage` | cumulative: a later number replaces an earlier one; `input_tokens` is without the cache |
//! | OpenAI chat | last chunk, if the client asked for it | `prompt_tokens` is with the cache |
//! | OpenAI responses | `response.completed`, `.incomplete`, `.failed` | `input_tokens` is with the cache |
//!
//! Without streaming, the same objects are in the one document. Source: the vendors' API references.

use super::Vendor;
use lamplight_domain::transcript::Tokens;
use serde::Deserialize;

/// The longest line or document that is looked at. The last event of OpenAI's responses repeats the whole answer.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// What a line has to contain to be worth parsing.
const MARK: &[u8] = b"\"usage\"";
/// Recorded for an answer that does not say which model gave it.
const UNNAMED_MODEL: &str = "unknown";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Server-sent events: one JSON object behind each `data:`.
    Events,
    /// One JSON object.
    Document,
}

/// The running account of one answer.
pub(super) struct Meter {
    vendor: Vendor,
    format: Format,
    /// The beginning of a line, or of the document, whose end has not come.
    kept: Vec<u8>,
    /// The present line is too long, and is not read.
    too_long: bool,
    model: Option<String>,
    usage: Option<Usage>,
}

impl Meter {
    pub(super) fn new(vendor: Vendor, format: Format) -> Self {
        Self { vendor, format, kept: Vec::new(), too_long: false, model: None, usage: None }
    }

    pub(super) fn read(&mut self, mut piece: &[u8]) {
        if self.format == Format::Events {
            while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
                self.end_line(&piece[..end]);
                piece = &piece[end + 1..];
            }
        }
        self.keep(piece);
    }

    /// The model and what it used; `None` if the answer did not say.
    pub(super) fn finish(mut self) -> Option<(String, Tokens)> {
        self.end_line(&[]);
        let tokens = self.usage?.tokens(self.vendor);
        Some((self.model.unwrap_or_else(|| UNNAMED_MODEL.to_owned()), tokens))
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.too_long || self.kept.len() + piece.len() > MAX_KEPT_BYTES {
            self.too_long = true;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self, rest: &[u8]) {
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
            Format::Events => match line.strip_prefix(b"data:") {
                Some(json) => json,
                None => return,
            },
            Format::Document => line,
        };
        if !json.windows(MARK.len()).any(|window| window == MARK) {
            return;
        }
        let Ok(Said { model, usage, message, response }) = serde_json::from_slice(json) else { return };
        let inner = message.or(response).unwrap_or_default();
        if let Some(model) = inner.model.or(model) {
            self.model = Some(model);
        }
        if let Some(usage) = inner.usage.or(usage) {
            self.usage.get_or_insert_default().replace(usage);
        }
    }
}

/// An event or a document, of any of the protocols.
#[derive(Deserialize)]
struct Said {
    model: Option<String>,
    usage: Option<Usage>,
    message: Option<Inner>,
    response: Option<Inner>,
}

#[derive(Default, Deserialize)]
struct Inner {
    model: Option<String>,
    usage: Option<Usage>,
}

/// The counts of any of the protocols; all are tokens.
#[derive(Default, Deserialize)]
struct Usage {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens_details")]
    input_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    fn replace(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.input_tokens_details = later.input_tokens_details.or(self.input_tokens_details.take());
    }

    fn tokens(self, vendor: Vendor) -> Tokens {
        let input = self.input_tokens.unwrap_or(0);
        let output = self.output_tokens.unwrap_or(0);
        match vendor {
            Vendor::Anthropic => {
                let cached = self.cache_read_input_tokens.unwrap_or(0);
                let written = self.cache_creation_input_tokens.unwrap_or(0);
                Tokens { input: input.saturating_add(cached).saturating_add(written), output, cached }
            }
            Vendor::OpenAi => {
                let cached = self.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
                Tokens { input, output, cached }
            }
        }
    }
}
