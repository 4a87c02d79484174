//! OpenID Connect, the code flow with PKCE. Sources: OpenID Connect Core 1.0, section 3.1; OpenID Connect Discovery 1.0.

use super::jwt::{self, Keys};
use super::{Back, Draw, SignInError, Somebody, ask, challenge, client};
use reqwest::Url;
use serde::Deserialize;
use std::fmt;

/// Clocks may differ by so much, in seconds.
const LEEWAY: i64 = 60;
const SCOPE: &str = "openid profile email";

/// Who signs people in, and what we are to them.
#[derive(Clone)]
pub struct OidcConfig {
    /// As it names itself, such as `https://id.example.org`.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
}

impl fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcConfig").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub struct Oidc {
    http: reqwest::Client,
    config: OidcConfig,
}

/// What the issuer says of itself.
#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether it says with every code that it is who gave it. Source: RFC 9207, section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    id_token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(flatten)]
    profile: Profile,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
struct Profile {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// Some say it as a text.
    #[serde(default)]
    email_verified: Option<Verified>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Verified {
    Said(bool),
    Text(String),
}

impl Verified {
    fn is_so(&self) -> bool {
        match self {
            Self::Said(is_so) => *is_so,
            Self::Text(text) => text == "true",
        }
    }
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    profile: Profile,
}

impl Oidc {
    /// Asks nothing yet.
    pub fn new(config: OidcConfig) -> reqwest::Result<Self> {
        Ok(Self { http: client()?, config })
    }

    /// Whether it can be asked, and is what it is called.
    pub async fn reach(&self) -> Result<(), SignInError> {
        let discovered = self.discover().await?;
        ask::<Keys>(&self.config.issuer, self.http.get(&discovered.jwks_uri)).await.map(drop)
    }

    /// Where a browser is sent.
    pub async fn begin(&self, draw: &Draw, redirect: &str) -> Result<String, SignInError> {
        let discovered = self.discover().await?;
        let mut url = Url::parse(&discovered.authorization_endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http"))
            .ok_or_else(|| self.untrusted("it has no address to sign in at"))?;
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", redirect),
            ("scope", SCOPE),
            ("state", &draw.state),
            ("nonce", &draw.nonce),
            ("code_challenge", &challenge(&draw.verifier)),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// Who came back. `now` is in seconds.
    pub async fn finish(
        &self,
        back: &Back,
        draw: &Draw,
        redirect: &str,
        now: i64,
    ) -> Result<Somebody, SignInError> {
        if back.issuer.as_ref().is_some_and(|issuer| *issuer != self.config.issuer) {
            return Err(self.untrusted("another issuer has answered"));
        }
        let discovered = self.discover().await?;
        if discovered.authorization_response_iss_parameter_supported && back.issuer.is_none() {
            return Err(self.untrusted("nobody says who has answered"));
        }
        let tokens = self.exchange(&discovered, back, draw, redirect).await?;
        let text = tokens.id_token.ok_or_else(|| self.untrusted("it does not say who signed in"))?;
        let (_, keys) = ask::<Keys>(&self.config.issuer, self.http.get(&discovered.jwks_uri)).await?;
        let token: IdToken = jwt::read(&text, &keys).map_err(|why| self.untrusted(why))?;
        self.judge(&token, draw, now)?;
        let mut profile = token.profile;
        if let (true, Some(address), Some(access)) =
            (profile.email.is_none(), &discovered.userinfo_endpoint, &tokens.access_token)
        {
            let request = self.http.get(address).bearer_auth(access);
            let (_, told) = ask::<UserInfo>(&self.config.issuer, request).await?;
            if told.sub != token.sub {
                return Err(self.untrusted("it tells of somebody else"));
            }
            profile = told.profile;
        }
        Ok(self.somebody(token.sub, profile))
    }

    async fn discover(&self) -> Result<Discovered, SignInError> {
        let issuer = &self.config.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (_, discovered) = ask::<Discovered>(issuer, self.http.get(address)).await?;
        if discovered.issuer != *issuer {
            return Err(self.untrusted("it calls itself something else"));
        }
        Ok(discovered)
    }

    async fn exchange(
        &self,
        discovered: &Discovered,
        back: &Back,
        draw: &Draw,
        redirect: &str,
    ) -> Result<Tokens, SignInError> {
        let (id, secret) = (self.config.client_id.as_str(), self.config.client_secret.as_str());
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &back.code),
            ("redirect_uri", redirect),
            ("code_verifier", &draw.verifier),
        ];
        // Basic is what everybody has who does not say otherwise. Source: Discovery, section 3.
        let methods = discovered.token_endpoint_auth_methods_supported.as_ref();
        let basic = methods.is_none_or(|methods| methods.iter().any(|one| one == "client_secret_basic"));
        let request = self.http.post(&discovered.token_endpoint);
        let request = if basic {
            // Source: RFC 6749, section 2.3.1: encoded as in a form before.
            request.basic_auth(encoded(id), Some(encoded(secret)))
        } else {
            form.extend([("client_id", id), ("client_secret", secret)]);
            request
        };
        let (is_fine, tokens) = ask::<Tokens>(&self.config.issuer, request.form(&form)).await?;
        match (is_fine, tokens.error.as_ref()) {
            (true, None) => Ok(tokens),
            (_, error) => {
                let why = tokens.error_description.as_ref().or(error);
                let why = why.cloned().unwrap_or_else(|| "it does not say why".to_owned());
                Err(SignInError::Refused { issuer: self.config.issuer.clone(), why })
            }
        }
    }

    /// Source: OpenID Connect Core, section 3.1.3.7.
    fn judge(&self, token: &IdToken, draw: &Draw, now: i64) -> Result<(), SignInError> {
        let ours = &self.config.client_id;
        let for_us = match &token.aud {
            Audience::One(one) => one == ours,
            Audience::Several(all) => {
                all.contains(ours) && (all.len() == 1 || token.azp.as_ref() == Some(ours))
            }
        };
        let wrong = match () {
            () if token.iss != self.config.issuer => "another issuer has signed it",
            () if !for_us || token.azp.as_ref().is_some_and(|azp| azp != ours) => "it is for somebody else",
            () if token.nonce.as_ref() != Some(&draw.nonce) => "it is of another sign-in",
            () if token.exp + LEEWAY <= now => "its time is over; do the clocks of both machines go right?",
            () if token.iat - LEEWAY > now => {
                "its time has not come; do the clocks of both machines go right?"
            }
            () if token.sub.is_empty() => "it names nobody",
            () => return Ok(()),
        };
        Err(self.untrusted(wrong))
    }

    fn somebody(&self, subject: String, profile: Profile) -> Somebody {
        let email = profile.email.filter(|_| profile.email_verified.is_some_and(|verified| verified.is_so()));
        let login = profile.preferred_username.clone().or(email.clone()).unwrap_or_else(|| subject.clone());
        let name = profile.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| login.clone());
        Somebody {
            issuer: self.config.issuer.clone(),
            subject,
            login,
            name,
            email,
            organisations: Vec::new(),
            token: None,
        }
    }

    fn untrusted(&self, why: &str) -> SignInError {
        SignInError::Untrusted { issuer: self.config.issuer.clone(), why: why.to_owned() }
    }
}

fn encoded(text: &str) -> String {
    let mut url = Url::parse("http://localhost").expect("it is an address");
    url.query_pairs_mut().append_pair("", text);
    url.query().unwrap_or_default().trim_start_matches('=').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn only_what_is_said_to_us_now_and_of_this_sign_in_counts() {
        let config = OidcConfig {
            issuer: "https://id.example".into(),
            client_id: "us".into(),
            client_secret: "s".into(),
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let oidc = Oidc::new(config).unwrap();
        let draw = Draw { state: String::new(), nonce: "n".into(), verifier: String::new() };
        let good = json!({ "iss": "https://id.example", "sub": "7", "aud": "us", "exp": 1_100, "iat": 990, "nonce": "n" });
        let check = |change: Value, fine: bool| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let verdict = serde_json::from_value::<IdToken>(claims)
                .map_err(drop)
                .and_then(|token| oidc.judge(&token, &draw, 1_000).map_err(drop));
            assert_eq!(verdict.is_ok(), fine, "{change}");
        };
        check(json!({}), true);
        check(json!({ "aud": ["us"] }), true);
        check(json!({ "aud": ["us", "them"], "azp": "us" }), true);
        check(json!({ "aud": ["us", "them"] }), false);
        check(json!({ "aud": "them" }), false);
        check(json!({ "azp": "them" }), false);
        check(json!({ "iss": "https://id.example/" }), false);
        check(json!({ "nonce": "m" }), false);
        check(json!({ "nonce": null }), false);
        check(json!({ "exp": 940 }), false);
        check(json!({ "exp": 941 }), true);
        check(json!({ "iat": 1_061 }), false);
        check(json!({ "sub": "" }), false);
    }

    #[test]
    fn an_address_counts_only_if_the_issuer_has_verified_it() {
        let config = OidcConfig { issuer: "i".into(), client_id: "us".into(), client_secret: "s".into() };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let oidc = Oidc::new(config).unwrap();
        let email = |verified: Value| {
            let profile = json!({ "email": "a@example.org", "email_verified": verified });
            oidc.somebody("7".into(), serde_json::from_value(profile).unwrap()).email
        };
        for verified in [json!(true), json!("true")] {
            assert_eq!(email(verified), Some("a@example.org".to_owned()));
        }
        assert_eq!(email(json!("false")), None);
        assert_eq!((email(json!(false)), email(Value::Null)), (None, None));
        assert_eq!(encoded("a b:c&d"), "a+b%3Ac%26d");
    }
}
