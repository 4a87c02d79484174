//! Who somebody is, as others say who sign people in: OpenID Connect, and GitHub.
//!
//! ```text
//! we ── address with state, challenge (and nonce) ──▶ browser ──▶ issuer: who are you?
//! issuer ── code, state ──▶ browser ──▶ we: is this the browser that we sent?
//! we ── code, verifier, our secret ──▶ issuer ──▶ who it is
//! ```
//! State, nonce and verifier are drawn by whoever calls; that a browser comes back with what it was sent away with, too.
//! Sources: RFC 6749, RFC 7636 (PKCE), RFC 9207, OpenID Connect Core 1.0.

mod github;
mod jwt;
mod oidc;

pub use github::{GitHubSignIn, GitHubSignInConfig, PersonToken};
pub use oidc::{Oidc, OidcConfig};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// For one answer.
const WAIT: Duration = Duration::from_secs(15);
/// No answer that is understood is longer, in bytes.
const ANSWER_BYTES: usize = 256 * 1024;

/// What is unlike everything before, for one sign-in.
#[derive(Debug, Clone)]
pub struct Draw {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in what the issuer signs.
    pub nonce: String,
    /// Shows that who sent the browser is who asks by the code: 43 to 128 letters and digits.
    pub verifier: String,
}

/// What the browser brings back.
#[derive(Debug, Clone, Default)]
pub struct Back {
    pub code: String,
    /// Who says that it sent the browser, where it says so (RFC 9207).
    pub issuer: Option<String>,
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Somebody {
    pub issuer: String,
    /// Never given to anybody else by the issuer.
    pub subject: String,
    /// As people write it.
    pub login: String,
    pub name: String,
    /// Only one that the issuer has verified.
    pub email: Option<String>,
    /// In lower case; GitHub's only, and those that were asked for.
    pub organisations: Vec<String>,
    /// What a GitHub App may go on with in their name.
    pub token: Option<PersonToken>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// With what it says about it.
    #[error("{issuer} refused: {why}")]
    Refused { issuer: String, why: String },
    /// It says something that is not to be believed.
    #[error("what {issuer} says cannot be believed: {why}")]
    Untrusted { issuer: String, why: String },
    #[error("{issuer} could not be asked: {why}")]
    Unreachable { issuer: String, why: String },
}

/// What is sent for a verifier. Source: RFC 7636, section 4.2.
fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// Asks nobody else than whom it is told to.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent("lamplight")
        .redirect(reqwest::redirect::Policy::none())
        .timeout(WAIT)
        .build()
}

/// What is answered, and whether it is a success.
async fn ask<T: DeserializeOwned>(
    issuer: &str,
    request: reqwest::RequestBuilder,
) -> Result<(bool, T), SignInError> {
    let unreachable = |why: String| SignInError::Unreachable { issuer: issuer.to_owned(), why };
    let mut response = request.send().await.map_err(|error| unreachable(error.without_url().to_string()))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) =
        response.chunk().await.map_err(|error| unreachable(error.without_url().to_string()))?
    {
        if body.len() + piece.len() > ANSWER_BYTES {
            return Err(unreachable("its answer is too long".to_owned()));
        }
        body.extend_from_slice(&piece);
    }
    let understood = serde_json::from_slice(&body);
    // The body may have a token in it, so it is not told.
    understood
        .map(|answer| (status.is_success(), answer))
        .map_err(|_| unreachable(format!("it answered {status} with something else than was asked for")))
}

#[cfg(test)]
mod tests {
    /// Source: RFC 7636, appendix B.
    #[test]
    fn a_challenge_is_the_hash_of_its_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(super::challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
