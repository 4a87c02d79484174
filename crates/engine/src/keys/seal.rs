//! Sealing and opening: XChaCha20-Poly1305, whose nonces are so long that drawing them by chance never repeats one.

use crate::ids;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use lamplight_domain::Timestamp;
use lamplight_gateway::Secret;
use lamplight_store::SealedSecret;
use std::fmt::Write as _;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// What seals all secrets.
#[derive(Clone)]
pub(super) struct SealingKey {
    cipher: XChaCha20Poly1305,
    /// As it is written down.
    pub text: Secret,
}

impl SealingKey {
    /// `None` when the text is anything but 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|n| n as u8)).collect::<Option<_>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        let bytes: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self { cipher: XChaCha20Poly1305::new(&bytes.into()), text: Secret::new(text) })
    }

    /// A fresh one, as it is written down.
    pub(super) fn draw() -> std::io::Result<String> {
        let bytes = ids::random::<KEY_BYTES>()?;
        Ok(bytes.iter().fold(String::new(), |mut text, byte| {
            let _always = write!(text, "{byte:02x}");
            text
        }))
    }

    /// The name is sealed in, so that nobody can put one secret in another's place.
    pub(super) fn seal(
        &self,
        name: &str,
        secret: &Secret,
        set_at: Timestamp,
    ) -> std::io::Result<SealedSecret> {
        let nonce = ids::random::<NONCE_BYTES>()?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: name.as_bytes() };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| std::io::Error::other("the secret is too long to be sealed"))?;
        Ok(SealedSecret { name: name.to_owned(), nonce: nonce.to_vec(), ciphertext, set_at })
    }

    /// `None` when it was sealed with another key, for another name, or changed since.
    pub(super) fn open(&self, sealed: &SealedSecret) -> Option<Secret> {
        let nonce: [u8; NONCE_BYTES] = sealed.nonce.as_slice().try_into().ok()?;
        let payload = Payload { msg: &sealed.ciphertext, aad: sealed.name.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(nonce), payload).ok()?;
        Some(Secret::new(String::from_utf8(plain).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_name_open_what_was_sealed() {
        let (key, other) = (SealingKey::draw().unwrap(), SealingKey::draw().unwrap());
        let (key, other) = (SealingKey::parse(&key).unwrap(), SealingKey::parse(&other).unwrap());
        let secret = Secret::new("sk-canary-3b7f9e");
        let sealed = key.seal("openai", &secret, Timestamp(1)).unwrap();
        assert!(key.open(&sealed) == Some(secret.clone()));
        assert!(other.open(&sealed).is_none());
        assert!(key.open(&SealedSecret { name: "anthropic".to_owned(), ..sealed.clone() }).is_none());
        let mut changed = sealed.clone();
        changed.ciphertext[0] ^= 1;
        assert!(key.open(&changed).is_none());
        let again = key.seal("openai", &secret, Timestamp(1)).unwrap();
        assert_ne!(again.nonce, sealed.nonce);
    }

    #[test]
    fn a_key_is_64_digits() {
        assert!(SealingKey::parse(&format!(" {}\n", "0f".repeat(32))).is_some());
        for wrong in ["", "0f", &"0f".repeat(31), &"0f".repeat(33), &"0g".repeat(32), &"é".repeat(32)] {
            assert!(SealingKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
