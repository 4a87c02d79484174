//! One answer of the model, before it is put into a protocol's shape.

use serde_json::Value;

use crate::script::Usage;

/// Characters of one streamed piece of text.
const CHUNK_CHARACTERS: usize = 16;

/// When every answer claims to have been made, in seconds since 1970: the same request gets the same bytes.
pub(crate) const CREATED: u64 = 1_760_000_000;

#[derive(Debug)]
pub(crate) struct Reply {
    /// Empty when the request does not want to see it.
    pub(crate) thinking: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) usage: Usage,
    pub(crate) delay_ms: u64,
    pub(crate) chunk_delay_ms: u64,
}

/// A tool call in the agent's own terms.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) input: Input,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Input {
    Object(Value),
    Text(String),
}

impl Call {
    pub(crate) fn len(&self) -> usize {
        self.input_text().len()
    }

    /// The input as it travels: JSON text or the text itself.
    pub(crate) fn input_text(&self) -> String {
        match &self.input {
            Input::Object(object) => object.to_string(),
            Input::Text(text) => text.clone(),
        }
    }
}

/// One server-sent event as bytes.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: String,
    /// Whether the script's pause between pieces comes before it.
    pub(crate) paced: bool,
}

impl Frame {
    /// An event with a name (Anthropic, OpenAI responses).
    pub(crate) fn named(data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or("message");
        Self { bytes: format!("event: {name}\ndata: {data}\n\n"), paced: false }
    }

    /// An event without one (OpenAI chat completions).
    pub(crate) fn plain(data: &Value) -> Self {
        Self { bytes: format!("data: {data}\n\n"), paced: false }
    }

    pub(crate) fn paced(self) -> Self {
        Self { paced: true, ..self }
    }
}

/// The pieces in which a text is streamed.
pub(crate) fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(CHUNK_CHARACTERS).map_or(rest.len(), |(end, _)| end);
        let (chunk, after) = rest.split_at(end);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Ids for the parts of one answer. They come from the request, so a repeated request gets the same ones, and no
/// two answers of one conversation share any, even with a restart of this server between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids(pub(crate) u64);

impl Ids {
    pub(crate) fn answer(self, prefix: &str) -> String {
        format!("{prefix}{:016x}", self.0)
    }

    pub(crate) fn part(self, prefix: &str, n: usize) -> String {
        format!("{prefix}{:016x}{n:02x}", self.0)
    }

    /// The answer that a part is of, the same for all its parts; none for an id not made here.
    pub(crate) fn answer_of(part: &str) -> Option<String> {
        let (_, id) = part.rsplit_once('_')?;
        let hexadecimal = id.len() == 18 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        hexadecimal.then(|| id[..16].to_owned())
    }
}
