//! The text of a secret: a prefix that says what it is, 256 bits by chance, and a checksum, so that whoever looks for lost
//! secrets finds ours without asking us.
//!
//! Of 256 bits by chance nobody guesses one, so a plain SHA-256 is enough to keep: a slow hash is for what people think of.

use crate::ids;
use lamplight_store::SecretHash;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const SECRET_BYTES: usize = 32;
/// The first hexadecimal digits of the SHA-256 of all before.
const CHECK_DIGITS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Token,
    Browser,
    /// Of an invitation, a link, the setup.
    Once,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Token => "lmp_",
            Self::Browser => "lms_",
            Self::Once => "lmj_",
        }
    }
}

/// A new secret, and what is kept of it.
pub(super) fn make(kind: Kind) -> std::io::Result<(String, SecretHash)> {
    let bytes = ids::random::<SECRET_BYTES>()?;
    let mut text = format!("{}{}", kind.prefix(), digits(&bytes));
    let check = check(&text);
    text.push_str(&check);
    let hash = Sha256::digest(text.as_bytes()).into();
    Ok((text, hash))
}

/// 256 bits that nobody can guess, as hexadecimal digits.
pub fn random_text() -> std::io::Result<String> {
    Ok(digits(&ids::random::<SECRET_BYTES>()?))
}

/// What is kept of this text, if it can be one of ours.
pub(super) fn hash(kind: Kind, text: &str) -> Option<SecretHash> {
    let before = text.len().checked_sub(CHECK_DIGITS)?;
    let (start, sum) = text.split_at_checked(before)?;
    let secret = start.strip_prefix(kind.prefix())?;
    let is_ours = secret.len() == 2 * SECRET_BYTES && sum == check(start);
    is_ours.then(|| Sha256::digest(text.as_bytes()).into())
}

fn check(text: &str) -> String {
    digits(&Sha256::digest(text.as_bytes()))[..CHECK_DIGITS].to_owned()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _always = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_text_alone() {
        let (text, kept) = make(Kind::Token).unwrap();
        assert!(text.starts_with("lmp_") && text.len() == 4 + 64 + 8, "{text}");
        assert_eq!(hash(Kind::Token, &text), Some(kept));
        assert_ne!(make(Kind::Token).unwrap().0, text);
        assert_eq!(hash(Kind::Browser, &text), None, "each kind for itself");
        for place in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(hash(Kind::Token, &String::from_utf8(other).unwrap()), None, "character {place}");
        }
        for nonsense in ["", "lmp_", "lmp_é", &text[..70], &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(hash(Kind::Token, nonsense), None, "{nonsense}");
        }
    }
}
