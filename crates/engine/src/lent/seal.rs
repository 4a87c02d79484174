//! What is made with the deployment's key for lent sandboxes: their tokens, and the seal of what is known of them.

use super::{LentSandbox, LentTemplate};
use crate::{Secret, ids};
use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use lamplight_domain::SessionId;
use lamplight_store::LentRow;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt::Write as _;

/// What the key is used for beside all else.
const OF_TOKENS: &[u8] = b"lamplight tokens of lent sandboxes 1";
const OF_ROWS: &[u8] = b"lamplight rows of lent sandboxes 1";

const NONCE_BYTES: usize = 24;

/// What a row tells of.
pub(super) enum Known {
    Sandbox(LentSandbox),
    Template(LentTemplate),
}

/// A template's row; a sandbox's has no such field.
#[derive(Serialize, Deserialize)]
struct OfTemplate {
    kept: LentTemplate,
}

pub(super) struct Seals {
    tokens: Hmac<Sha256>,
    rows: XChaCha20Poly1305,
}

impl Seals {
    /// `key` is what the deployment seals secrets with; any length.
    pub(super) fn new(key: &Secret) -> Self {
        let derived = |purpose| keyed(key.expose().as_bytes()).chain_update(purpose).finalize().into_bytes();
        let rows: [u8; 32] = derived(OF_ROWS).into();
        Self { tokens: keyed(&derived(OF_TOKENS)), rows: XChaCha20Poly1305::new(&rows.into()) }
    }

    /// Always the same of one sandbox.
    pub(super) fn token(&self, id: &SessionId) -> String {
        let code = self.tokens.clone().chain_update(id.as_str()).finalize().into_bytes();
        code.iter().fold(String::from("lml_"), |mut token, byte| {
            let _always = write!(token, "{byte:02x}");
            token
        })
    }

    pub(super) fn seal(&self, facts: &LentSandbox) -> anyhow::Result<LentRow> {
        self.sealed(&facts.id, &facts.person, &serde_json::to_vec(facts)?)
    }

    pub(super) fn seal_template(&self, template: &LentTemplate) -> anyhow::Result<LentRow> {
        let text = serde_json::to_vec(&OfTemplate { kept: template.clone() })?;
        self.sealed(&template.id, &template.person, &text)
    }

    fn sealed(&self, id: &SessionId, person: &str, text: &[u8]) -> anyhow::Result<LentRow> {
        let nonce = ids::random::<NONCE_BYTES>()?;
        let payload = Payload { msg: text, aad: id.as_str().as_bytes() };
        let sealed = self.rows.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| anyhow::anyhow!("what is known of a sandbox is too long"))?;
        let body = [&nonce[..], &sealed].concat();
        Ok(LentRow { id: id.clone(), person: person.to_owned(), body })
    }

    /// `None` of one that another key has sealed, or that is another's.
    pub(super) fn open(&self, row: &LentRow) -> Option<Known> {
        let (nonce, sealed) = row.body.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: row.id.as_str().as_bytes() };
        let text = self.rows.decrypt(&XNonce::from(*nonce), payload).ok()?;
        if let Ok(OfTemplate { kept: mut template }) = serde_json::from_slice(&text) {
            template.id = row.id.clone();
            return Some(Known::Template(template));
        }
        let mut facts: LentSandbox = serde_json::from_slice(&text).ok()?;
        facts.id = row.id.clone();
        Some(Known::Sandbox(facts))
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_sandbox_and_one_deployment() {
        let (ours, others) = (Seals::new(&Secret::new("a")), Seals::new(&Secret::new("b")));
        let ids = ["01JD5ZK8W3Q4R6T7V8X9Y0Z1A2", "01JD5ZK8W3Q4R6T7V8X9Y0Z1A3"].map(|id| id.parse().unwrap());
        assert_eq!(ours.token(&ids[0]), Seals::new(&Secret::new("a")).token(&ids[0]));
        assert_eq!(ours.token(&ids[0]).len(), 68);
        assert_ne!(ours.token(&ids[0]), ours.token(&ids[1]));
        assert_ne!(ours.token(&ids[0]), others.token(&ids[0]));
    }
}
