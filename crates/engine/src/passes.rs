//! What lets a browser in to a preview: sealed by a key that this process has made for itself and nobody else knows, so that after a
//! restart whoever was in enters again from the session's page. Where there are several servers, all have the same, which lasts.

use crate::ids;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use lamplight_domain::{SessionId, Timestamp};
use std::fmt::Write as _;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Stands for nobody's; no id is this.
const NOBODY: &str = "-";
/// The longest text that is looked at.
const LONGEST: usize = 4096;

/// One port of one session, for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub session: SessionId,
    pub port: u16,
    pub kind: PassKind,
    pub until: Timestamp,
    /// What who goes in has signed in with; `None` where nobody signs in.
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// In an address, to be changed for the other kind at once.
    Entrance,
    /// In a cookie of the preview's own host.
    Stay,
}

impl PassKind {
    fn word(self) -> &'static str {
        match self {
            Self::Entrance => "preview entrance",
            Self::Stay => "preview stay",
        }
    }
}

/// Makes passes, and knows its own.
pub struct Passes {
    cipher: XChaCha20Poly1305,
}

impl Passes {
    /// With a key that nobody has seen.
    pub fn new() -> std::io::Result<Self> {
        let key = ids::random::<KEY_BYTES>()?;
        Ok(Self::of(key))
    }

    /// With a key that others have too.
    pub fn of(key: [u8; KEY_BYTES]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// Hexadecimal digits, in which nothing of the pass can be read.
    pub fn issue(&self, pass: &Pass) -> std::io::Result<String> {
        let by = pass.by.as_deref().unwrap_or(NOBODY);
        let text = format!("{} {} {} {by}", pass.session, pass.port, pass.until.0);
        self.seal(pass.kind.word(), &text)
    }

    /// The same for any text; it is opened only as what it was sealed for.
    pub fn seal(&self, what_for: &str, text: &str) -> std::io::Result<String> {
        let nonce = ids::random::<NONCE_BYTES>()?;
        let payload = Payload { msg: text.as_bytes(), aad: what_for.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| std::io::Error::other("a pass could not be sealed"))?;
        Ok(nonce.iter().chain(&sealed).fold(String::new(), |mut digits, byte| {
            let _always = write!(digits, "{byte:02x}");
            digits
        }))
    }

    /// The pass that this is, if it is one of ours and of this kind, and still counts.
    pub fn read(&self, digits: &str, kind: PassKind, now: Timestamp) -> Option<Pass> {
        let text = self.unseal(kind.word(), digits)?;
        let mut parts = text.split(' ');
        let session = parts.next()?.parse().ok()?;
        let port = parts.next()?.parse().ok()?;
        let until = Timestamp(parts.next()?.parse().ok()?);
        let by = parts.next().filter(|by| *by != NOBODY).map(str::to_owned);
        (now < until).then_some(Pass { session, port, kind, until, by })
    }

    /// What [`Passes::seal`] sealed.
    pub fn unseal(&self, what_for: &str, digits: &str) -> Option<String> {
        let bytes = from_digits(digits)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: what_for.as_bytes() };
        String::from_utf8(self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?).ok()
    }
}

fn from_digits(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > LONGEST {
        return None;
    }
    let values: Vec<u8> = digits.chars().map(|c| c.to_digit(16).map(|n| n as u8)).collect::<Option<_>>()?;
    let (pairs, []) = values.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_known_until_it_ends_and_only_where_it_was_made() {
        let (ours, others) = (Passes::new().unwrap(), Passes::new().unwrap());
        let pass = Pass {
            session: "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap(),
            port: 3000,
            kind: PassKind::Stay,
            until: Timestamp(1_000),
            by: Some("01JD5ZK8W3Q4R6T7V8X9Y0Z1A3".to_owned()),
        };
        let text = ours.issue(&pass).unwrap();
        assert_ne!(text, ours.issue(&pass).unwrap());
        assert_eq!(ours.read(&text, PassKind::Stay, Timestamp(999)), Some(pass));
        assert_eq!(ours.read(&text, PassKind::Stay, Timestamp(1_000)), None);
        assert_eq!(ours.read(&text, PassKind::Entrance, Timestamp(0)), None);
        assert_eq!(others.read(&text, PassKind::Stay, Timestamp(0)), None);
        for place in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(ours.read(&forged, PassKind::Stay, Timestamp(0)), None, "digit {place}");
        }
        for nonsense in ["", "0", "zz", &"0".repeat(48), &"0".repeat(10_000)] {
            assert_eq!(ours.read(nonsense, PassKind::Stay, Timestamp(0)), None, "{nonsense}");
        }
    }
}
