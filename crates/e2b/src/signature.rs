//! Signatures in addresses of files: whoever has the address needs no token, for this path, this operation and this user, until it ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What is signed. A user who is not named is the empty one; `expires` is in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    pub path: &'a str,
    pub operation: Operation,
    pub user: &'a str,
    pub expires: Option<i64>,
}

impl Signed<'_> {
    /// With the token of the sandbox.
    pub fn sign(&self, token: &str) -> String {
        let Self { path, operation, user, expires } = self;
        let mut text = format!("{path}:{}:{user}:{token}", operation.word());
        if let Some(expires) = expires {
            text.push_str(&format!(":{expires}"));
        }
        format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text)))
    }

    /// Whether this is the signature by that token. It takes as long for every wrong one of the right length.
    pub fn is_signed_by(&self, token: &str, signature: &str) -> bool {
        let (ours, theirs) = (self.sign(token), signature.trim_end_matches('='));
        let differing = ours.bytes().zip(theirs.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_signed_counts() {
        let signed =
            Signed { path: "/a b", operation: Operation::Read, user: "user", expires: Some(1_700_000_000) };
        let signature = signed.sign("token");
        // printf '/a b:read:user:token:1700000000' | openssl dgst -sha256 -binary | base64
        assert_eq!(signature, "v1_h4gfJ4Xy+/3Xnb/DadkghxN8naQZDOfijgK7xwCFzac");
        assert!(
            signed.is_signed_by("token", &signature)
                && signed.is_signed_by("token", &format!("{signature}="))
        );
        for other in [
            Signed { path: "/a", ..signed },
            Signed { operation: Operation::Write, ..signed },
            Signed { user: "", ..signed },
            Signed { expires: None, ..signed },
            Signed { expires: Some(1_700_000_001), ..signed },
        ] {
            assert!(!other.is_signed_by("token", &signature), "{other:?}");
        }
        assert!(!signed.is_signed_by("other", &signature));
        assert!(!signed.is_signed_by("token", "") && !signed.is_signed_by("token", &signature[..20]));
    }
}
