//! What keys are called.

use lamplight_gateway::{BadUpstreamName, UpstreamName};
use std::fmt;
use std::str::FromStr;

/// What a key opens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    Models(UpstreamName),
    /// The cloud that sandboxes are made in, where the configuration says so.
    Cloud,
}

impl KeyName {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Models(name) => name.as_str(),
            Self::Cloud => "e2b",
        }
    }

    /// Whose models it opens, if it does.
    pub fn models(&self) -> Option<&UpstreamName> {
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

/// Whether there is an upstream of that name, the configuration knows.
impl FromStr for KeyName {
    type Err = BadUpstreamName;

    fn from_str(text: &str) -> Result<Self, BadUpstreamName> {
        match text {
            "e2b" => Ok(Self::Cloud),
            other => other.parse().map(Self::Models),
        }
    }
}
