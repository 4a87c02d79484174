//! `[e2b]`: this server as the sandbox cloud of programs that speak E2B's protocol.

use super::{ConfigError, Server};
use serde::{Deserialize, Serialize};

/// `[e2b]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct E2b {
    pub enabled: bool,
    /// Under which each port of each sandbox has a host name, `{port}-{id}`, and the API is `api`; it needs TLS before this server.
    /// Without, one address is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

impl E2b {
    pub(super) fn check(&self, server: &Server) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        let Some(domain) = &self.domain else { return Ok(()) };
        if !self.enabled {
            return invalid(
                "e2b.domain is only used with e2b.enabled = true, or with lamplight serve --e2b".to_owned(),
            );
        }
        if !super::sections::is_domain(domain) {
            return invalid(format!(
                "e2b.domain is {domain:?}, which is no domain; say it like sandboxes.example.org"
            ));
        }
        let is_shared = |host: &String| host.eq_ignore_ascii_case(&format!("api.{domain}"));
        if server.preview_domain.as_ref() == Some(domain) || server.hosts.iter().any(is_shared) {
            return invalid(format!(
                "e2b.domain is {domain}, which the page or its previews have already; take another"
            ));
        }
        Ok(())
    }
}
