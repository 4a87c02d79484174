//! Whose key a request shows: a token of this server's, in the header that E2B's clients have for theirs.

use super::super::answer::Refused;
use crate::http::App;
use crate::http::audit::Asker;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use lamplight_domain::{Person, Role, Scope};
use lamplight_engine::people::SecretKind;

const HEADER: &str = "x-api-key";

/// How tokens of ours begin, and how clients of before 2.51 want keys to.
const OURS: &str = "lmp_";
const THEIRS: &str = "e2b_";

/// Who asks.
pub(super) struct Key {
    pub(super) person: Person,
}

impl FromRequestParts<App> for Key {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let key = parts.headers.get(HEADER).and_then(|key| key.to_str().ok()).unwrap_or_default();
        let Some(token) = token(key) else {
            let message = "Invalid API key: it has to be a token of this server (lamplight tokens create)";
            return Err(Refused::new(StatusCode::UNAUTHORIZED, message));
        };
        if !app.config.auth.required {
            return Ok(Self { person: app.person().await.clone() });
        }
        let known = app.engine.identify(SecretKind::Token, &token).await?;
        let Some(known) = known else {
            let message = "Invalid API key: nobody has it, or it does not count any more";
            return Err(Refused::new(StatusCode::UNAUTHORIZED, message));
        };
        if let Some(asker) = parts.extensions.get::<Asker>() {
            asker.is(&known.person.name);
        }
        let (role, scope) = match parts.method {
            Method::GET => (Role::Viewer, Scope::Read),
            _ => (Role::Member, Scope::Write),
        };
        if known.person.role < role || known.scope() < scope {
            let message = format!("this needs the role {role} and a token with the scope {scope}");
            return Err(Refused::new(StatusCode::FORBIDDEN, message));
        }
        Ok(Self { person: Person { name: known.person.name.clone(), email: known.person.email.clone() } })
    }
}

/// The token that a key is; `None` of a text that cannot be one.
fn token(key: &str) -> Option<String> {
    let digits = key.strip_prefix(OURS).or_else(|| key.strip_prefix(THEIRS))?;
    let is_one = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| format!("{OURS}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn a_key_is_a_token_under_either_name() {
        assert_eq!(token("lmp_0a"), Some("lmp_0a".into()));
        assert_eq!(token("e2b_0a"), Some("lmp_0a".into()));
        for other in ["", "lmp_", "e2b_", "0a", "lms_0a", "e2b_0g", "e2b_0a "] {
            assert_eq!(token(other), None, "{other}");
        }
    }
}
