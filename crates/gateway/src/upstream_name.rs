//! What upstreams are called.

use crate::upstream::{ANTHROPIC_BASE, GEMINI_BASE, OPENAI_BASE};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// No name is longer, in bytes.
const LONGEST: usize = 32;
/// Names that mean something else where these are said: vendors, other keys, and what agents call either.
const TAKEN: [&str; 6] = ["openai", "anthropic", "gemini", "google", "scripted", "e2b"];
/// Secrets of a GitHub App begin so.
const TAKEN_BEGINNING: &str = "github-";

/// Whose models are asked; also what the key for them is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum UpstreamName {
    OpenAi,
    Anthropic,
    Gemini,
    /// Speaks OpenAI's protocol, and is called what the configuration calls it.
    Compatible(CompatibleName),
}

impl UpstreamName {
    /// Those that there may be without an address in the configuration.
    pub const VENDORS: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    pub fn as_str(&self) -> &str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Compatible(name) => name.as_str(),
        }
    }

    /// The vendor's own address; no other has one but the configuration's.
    pub fn base(&self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some(OPENAI_BASE),
            Self::Anthropic => Some(ANTHROPIC_BASE),
            Self::Gemini => Some(GEMINI_BASE),
            Self::Compatible(_) => None,
        }
    }

    /// Where the configuration speaks of it, such as `models.openai`.
    pub fn section(&self) -> String {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Gemini => format!("models.{self}"),
            Self::Compatible(name) => format!("models.compatible.{name}"),
        }
    }

    /// What a model of it is called where those of all upstreams are: as the vendor calls it, or `local/llama3`.
    pub fn qualify(&self, model: String) -> String {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Gemini => model,
            Self::Compatible(name) => format!("{name}/{model}"),
        }
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UpstreamName {
    type Err = BadUpstreamName;

    fn from_str(text: &str) -> Result<Self, BadUpstreamName> {
        match Self::VENDORS.into_iter().find(|name| name.as_str() == text) {
            Some(vendor) => Ok(vendor),
            None => text.parse().map(Self::Compatible),
        }
    }
}

impl TryFrom<String> for UpstreamName {
    type Error = BadUpstreamName;

    fn try_from(text: String) -> Result<Self, BadUpstreamName> {
        text.parse()
    }
}

impl From<UpstreamName> for String {
    fn from(name: UpstreamName) -> Self {
        name.as_str().to_owned()
    }
}

/// The name of an upstream that the configuration adds to the vendors: it stands in paths, in front of models, and for a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CompatibleName(Arc<str>);

impl CompatibleName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It can name no upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUpstreamName(String);

impl fmt::Display for BadUpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, taken) = (&self.0, TAKEN.join(", "));
        write!(
            f,
            "{name:?} cannot name an upstream: use at most {LONGEST} lower-case letters, digits and '-', beginning with a letter; {taken} and {TAKEN_BEGINNING}… are taken"
        )
    }
}

impl std::error::Error for BadUpstreamName {}

impl FromStr for CompatibleName {
    type Err = BadUpstreamName;

    fn from_str(text: &str) -> Result<Self, BadUpstreamName> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_one = text.len() <= LONGEST
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(letter)
            && !TAKEN.contains(&text)
            && !text.starts_with(TAKEN_BEGINNING);
        if is_one { Ok(Self(text.into())) } else { Err(BadUpstreamName(text.to_owned())) }
    }
}

impl TryFrom<String> for CompatibleName {
    type Error = BadUpstreamName;

    fn try_from(text: String) -> Result<Self, BadUpstreamName> {
        text.parse()
    }
}

impl From<CompatibleName> for String {
    fn from(name: CompatibleName) -> Self {
        name.as_str().to_owned()
    }
}

impl Borrow<str> for CompatibleName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CompatibleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_that_means_nothing_else() {
        for name in ["local", "open-router", "vllm2", &"a".repeat(LONGEST)] {
            let upstream: UpstreamName = name.parse().unwrap();
            assert_eq!(upstream, UpstreamName::Compatible(name.parse().unwrap()));
            assert_eq!(upstream.qualify("x/y".to_owned()), format!("{name}/x/y"));
        }
        for name in ["", "Local", "9b", "-a", "a_b", "a.b", "a/b", "a b", "ä", &"a".repeat(LONGEST + 1)] {
            assert_eq!(name.parse::<UpstreamName>(), Err(BadUpstreamName(name.to_owned())));
        }
        for name in TAKEN.into_iter().chain(["github-app-key"]) {
            assert!(name.parse::<CompatibleName>().is_err(), "{name}");
        }
        assert_eq!("gemini".parse(), Ok(UpstreamName::Gemini));
    }
}
