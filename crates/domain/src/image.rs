//! What a sandbox's files begin with, where that is not this machine: an image, by the name that people gave it and by what was in
//! it when the session was made.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The image of a session. Its name may mean something else tomorrow; its digest does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionImage {
    pub name: ImageName,
    pub digest: ImageDigest,
}

/// What people call an image: 1 to 64 lower-case letters, digits, `.`, `_` and `-`, the first a letter or digit. Not `host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName(String);

/// SHA-256 over an unpacked image: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

/// What a deployment or a session asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ImageChoice {
    /// `host`: what this machine has.
    #[default]
    Host,
    Named(ImageName),
}

/// The word for this machine itself.
const HOST: &str = "host";
const NAME_BYTES: usize = 64;
const DIGEST_DIGITS: usize = 64;

/// The text is not a name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnImageName(String);

impl fmt::Display for NotAnImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no name of an image: 1 to {NAME_BYTES} lower-case letters, digits, `.`, `_` and `-`, the first a letter or \
             digit; `{HOST}` is none",
            self.0
        )
    }
}

impl std::error::Error for NotAnImageName {}

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnImageDigest(String);

impl fmt::Display for NotAnImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no digest: {DIGEST_DIGITS} lower-case hexadecimal digits", self.0)
    }
}

impl std::error::Error for NotAnImageDigest {}

impl ImageName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ImageDigest {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for ImageName {
    type Err = NotAnImageName;

    fn from_str(text: &str) -> Result<Self, NotAnImageName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = text.bytes().next().is_some_and(plain)
            && text.len() <= NAME_BYTES
            && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
            && text != HOST;
        if is_name { Ok(Self(text.to_owned())) } else { Err(NotAnImageName(text.to_owned())) }
    }
}

impl FromStr for ImageDigest {
    type Err = NotAnImageDigest;

    fn from_str(text: &str) -> Result<Self, NotAnImageDigest> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_digest = text.len() == DIGEST_DIGITS && text.bytes().all(is_digit);
        if is_digest { Ok(Self(text.to_owned())) } else { Err(NotAnImageDigest(text.to_owned())) }
    }
}

impl FromStr for ImageChoice {
    type Err = NotAnImageName;

    fn from_str(text: &str) -> Result<Self, NotAnImageName> {
        if text == HOST { Ok(Self::Host) } else { text.parse().map(Self::Named) }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str(HOST),
            Self::Named(name) => name.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($type:ty, $error:ty);*) => {$(
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text!(ImageName, NotAnImageName; ImageDigest, NotAnImageDigest; ImageChoice, NotAnImageName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        let check = |text: &str, good: bool| assert_eq!(text.parse::<ImageName>().is_ok(), good, "{text:?}");
        check("debian", true);
        check("rust-1.95_slim", true);
        check("7", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        for bad in ["", "host", "Debian", ".", "..", "-a", "a/b", "a b", "a\n", "ä"] {
            check(bad, false);
        }
        assert_eq!("host".parse(), Ok(ImageChoice::Host));
        assert_eq!("debian".parse(), Ok(ImageChoice::Named("debian".parse().unwrap())));
        assert!("a/b".parse::<ImageChoice>().is_err());
    }

    #[test]
    fn digests_are_whole() {
        let check =
            |text: &str, good: bool| assert_eq!(text.parse::<ImageDigest>().is_ok(), good, "{text:?}");
        check(&"0a".repeat(32), true);
        check(&"0A".repeat(32), false);
        check(&"0a".repeat(31), false);
        check("../..", false);
    }
}
