//! What keys are called.

use lamplight_gateway::{NoSuchUpstream, UpstreamName};
use std::fmt;
use std::str::FromStr;

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    Models(UpstreamName),
    /// The cloud that sandboxes are made in, where the configuration says so.
    Cloud,
}

impl KeyName {
    pub const ALL: [Self; 4] = [
        Self::Models(UpstreamName::OpenAi),
        Self::Models(UpstreamName::Anthropic),
        Self::Models(UpstreamName::Gemini),
        Self::Cloud,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Models(name) => name.as_str(),
            Self::Cloud => "e2b",
        }
    }

    /// All of them, for who has to choose one.
    pub fn all_in_words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// Whose models it opens, if it does.
    pub fn models(self) -> Option<UpstreamName> {
        match self {
            Self::Models(name) => Some(name),
            Self::Cloud => None,
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyName {
    type Err = NoSuchUpstream;

    fn from_str(text: &str) -> Result<Self, NoSuchUpstream> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(NoSuchUpstream)
    }
}
