//! `[auth]`: whether people sign in, who else signs them in, and who may come.

use super::{ConfigError, Environment, GitHub, Secret};
use lamplight_domain::{KnownSecret, Role};
use lamplight_engine::RightsConfig;
use lamplight_engine::sign_in::{GitHubSignInConfig, OidcConfig};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const OIDC_SECRET: &str = "OIDC_CLIENT_SECRET";
/// What GitHub says of somebody's rights counts for so long where nothing else is said.
const RIGHTS_SECONDS: u64 = 300;
/// How long a stream is left alone at most before it is looked whether its reader may still follow, when nothing changes.
const LOOK_SECONDS: u64 = 10 * 60;
const GITHUB_SECRET: &str = "GITHUB_CLIENT_SECRET";

/// `[auth]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Without, whoever reaches the server may do everything, so it listens on loopback alone.
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcWay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubWay>,
    pub allow: Allow,
}

/// `[auth.oidc]`: OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcWay {
    /// As the issuer names itself, such as `https://id.example.org`.
    pub issuer: String,
    pub client_id: String,
    /// The variable that holds the secret; default: `OIDC_CLIENT_SECRET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// As people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip)]
    pub(crate) secret: Option<Secret>,
}

/// `[auth.github]`: an OAuth app or a GitHub App of the GitHub in `[github]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubWay {
    pub client_id: String,
    /// The variable that holds the secret; default: `GITHUB_CLIENT_SECRET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// Where people sign in; default: `github.web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    /// For so long counts what GitHub says that somebody may do with a repository, before it is asked again; default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights_seconds: Option<u64>,
    /// Whether pull requests are opened as the person who began the session, where they sign in by a GitHub App; default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_person: Option<bool>,
    #[serde(skip)]
    pub(crate) secret: Option<Secret>,
}

/// `[auth.allow]`: who may come in without an invitation, as those who sign people in say who they are. Nobody by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Allow {
    /// E-mail addresses, and `github:ada` for a name on GitHub, which may change hands.
    pub people: Vec<String>,
    /// Organisations on GitHub whose members may.
    pub organisations: Vec<String>,
    /// What comes behind `@` in the addresses of those who may.
    pub email_domains: Vec<String>,
    /// As what they come.
    pub role: Role,
}

impl Default for Allow {
    fn default() -> Self {
        Self { people: vec![], organisations: vec![], email_domains: vec![], role: Role::Member }
    }
}

impl Auth {
    pub(super) fn take_secrets(&mut self, environment: &Environment) {
        let secret = |name: &Option<String>, default: &str| {
            let value = environment.get(name.as_deref().unwrap_or(default)).map(|value| value.trim());
            value.filter(|value| !value.is_empty()).map(Secret::new)
        };
        if let Some(oidc) = &mut self.oidc {
            oidc.secret = secret(&oidc.client_secret_env, OIDC_SECRET);
        }
        if let Some(github) = &mut self.github {
            github.secret = secret(&github.client_secret_env, GITHUB_SECRET);
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        if let Some(oidc) = self.oidc.as_ref().filter(|oidc| !is_safe(&oidc.issuer)) {
            return invalid(format!("auth.oidc.issuer is {:?}; it should begin with https://", oidc.issuer));
        }
        if self.github.as_ref().and_then(|github| github.web.as_ref()).is_some_and(|web| !is_safe(web)) {
            return invalid("auth.github.web should begin with https://".to_owned());
        }
        if !self.required && (self.oidc.is_some() || self.github.is_some()) {
            return invalid(
                "somebody signs people in, but nobody has to sign in; set auth.required = true".to_owned(),
            );
        }
        if self.allow.role >= Role::Admin {
            return invalid("auth.allow.role is viewer or member; make admins by hand".to_owned());
        }
        Ok(())
    }

    /// What people cannot sign in without, and only the server has to know.
    pub(super) fn check_secrets(&self) -> Result<(), ConfigError> {
        match self.missing_secrets().into_iter().next() {
            Some((way, variable)) => Err(ConfigError::Invalid(format!(
                "auth.{way} has no secret; set the variable {variable}, or name another in client_secret_env"
            ))),
            None => Ok(()),
        }
    }

    /// Each as the section and the variable that it is looked for in.
    pub(crate) fn missing_secrets(&self) -> Vec<(&'static str, &str)> {
        let oidc = self.oidc.as_ref().filter(|oidc| oidc.secret.is_none());
        let oidc = oidc.map(|oidc| ("oidc", oidc.client_secret_env.as_deref().unwrap_or(OIDC_SECRET)));
        let github = self.github.as_ref().filter(|github| github.secret.is_none());
        let github =
            github.map(|github| ("github", github.client_secret_env.as_deref().unwrap_or(GITHUB_SECRET)));
        oidc.into_iter().chain(github).collect()
    }

    /// What no log may say.
    pub fn known_secrets(&self) -> Vec<KnownSecret> {
        let oidc = self.oidc.as_ref().and_then(|oidc| oidc.secret.as_ref());
        let github = self.github.as_ref().and_then(|github| github.secret.as_ref());
        let known = |secret: &Secret| KnownSecret {
            name: "client secret".to_owned(),
            value: secret.reveal().to_owned(),
        };
        oidc.into_iter().chain(github).map(known).collect()
    }

    /// `None` where nobody signs in so.
    pub(crate) fn oidc_config(&self) -> Option<OidcConfig> {
        let oidc = self.oidc.as_ref()?;
        Some(OidcConfig {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: oidc.secret.as_ref()?.reveal().to_owned(),
        })
    }

    /// Likewise.
    pub(crate) fn rights(&self, of: &GitHub) -> Option<RightsConfig> {
        let github = self.github.as_ref()?;
        let fresh_ms = github.rights_seconds.unwrap_or(RIGHTS_SECONDS).saturating_mul(1000);
        Some(RightsConfig { issuer: github.web(of), fresh_ms })
    }

    /// `None` where pull requests are opened in the server's own name.
    pub(crate) fn on_behalf(&self, of: &GitHub) -> Option<GitHubSignInConfig> {
        self.github.as_ref().filter(|github| github.as_person.unwrap_or(true))?;
        self.github_config(of)
    }

    /// How often it is looked whether somebody may still follow what they have open.
    pub(crate) fn look(&self) -> Duration {
        let seconds = self.github.as_ref().map(|github| github.rights_seconds.unwrap_or(RIGHTS_SECONDS));
        Duration::from_secs(seconds.unwrap_or(LOOK_SECONDS).clamp(1, LOOK_SECONDS))
    }

    /// Likewise.
    pub(crate) fn github_config(&self, of: &GitHub) -> Option<GitHubSignInConfig> {
        let github = self.github.as_ref()?;
        Some(GitHubSignInConfig {
            web: github.web(of),
            api: of.addresses().api,
            client_id: github.client_id.clone(),
            client_secret: github.secret.as_ref()?.reveal().to_owned(),
            organisations: !self.allow.organisations.is_empty(),
        })
    }
}

impl GitHubWay {
    /// Where people sign in, without a slash at its end.
    fn web(&self, of: &GitHub) -> String {
        let web = self.web.as_ref().map(|web| web.trim_end_matches('/').to_owned());
        web.unwrap_or_else(|| of.addresses().web)
    }
}

impl Allow {
    /// Whether only who is invited comes in.
    pub fn names_nobody(&self) -> bool {
        self.people.is_empty() && self.organisations.is_empty() && self.email_domains.is_empty()
    }

    /// Whether only GitHub can say who these are.
    pub fn asks_github_only(&self) -> bool {
        let on_github = |named: &String| named.starts_with("github:");
        !self.names_nobody() && self.email_domains.is_empty() && self.people.iter().all(on_github)
    }

    /// As what this person comes, if they may. `login` is a name on GitHub.
    pub fn role_of(
        &self,
        email: Option<&str>,
        login: Option<&str>,
        organisations: &[String],
    ) -> Option<Role> {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let is_named = self.people.iter().any(|named| match named.split_once("github:") {
            Some(("", wanted)) => login.is_some_and(|login| same(wanted, login)),
            Some(_) | None => email.is_some_and(|email| same(named, email)),
        });
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        let is_of_domain =
            domain.is_some_and(|domain| self.email_domains.iter().any(|allowed| same(allowed, domain)));
        let is_member =
            organisations.iter().any(|one| self.organisations.iter().any(|allowed| same(allowed, one)));
        (is_named || is_of_domain || is_member).then_some(self.role)
    }
}

/// Secrets and codes go there: in the open only on this machine.
fn is_safe(address: &str) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_local = local.iter().any(|start| {
        address.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    address.starts_with("https://") || is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_but_who_is_allowed() {
        let allow = Allow {
            people: vec!["ada@example.org".into(), "github:bo".into()],
            organisations: vec!["Acme".into()],
            email_domains: vec!["firm.example".into()],
            ..Allow::default()
        };
        let check = |email: Option<&str>, login: Option<&str>, organisation: &str, expected: bool| {
            let role = allow.role_of(email, login, &[organisation.to_owned()]);
            assert_eq!(role, expected.then_some(Role::Member), "{email:?} {login:?} {organisation}");
            assert_eq!(Allow::default().role_of(email, login, &[organisation.to_owned()]), None);
        };
        check(Some("ADA@example.org"), None, "", true);
        check(Some("x@firm.example"), None, "", true);
        check(Some("x@not.firm.example"), None, "", false);
        check(Some("x@firm.example.evil.example"), None, "", false);
        check(None, Some("Bo"), "", true);
        check(Some("bo"), None, "", false);
        check(Some("github:bo"), None, "", false);
        check(None, Some("ada@example.org"), "", false);
        check(None, Some("cy"), "acme", true);
        check(None, None, "acme2", false);
        for (address, safe) in [
            ("https://id.example", true),
            ("http://127.0.0.1:9000", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("http://localhost.evil.example", false),
        ] {
            assert_eq!(is_safe(address), safe, "{address}");
        }
    }
}
