//! `[e2b]`: this server as the sandbox cloud of programs that speak E2B's protocol.

use super::{ConfigError, Server};
use lamplight_engine::Repositories;
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
    /// Registries, or parts of them such as `docker.io/library`, whose images programs may have fetched for their templates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
}

impl E2b {
    pub(super) fn check(&self, server: &Server) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        for registry in &self.registries {
            if let Err(error) = registry.parse::<Repositories>() {
                return invalid(format!("e2b.registries: {error}"));
            }
        }
        if !self.registries.is_empty() && !self.enabled {
            return invalid(
                "e2b.registries is only used with e2b.enabled = true, or with lamplight serve --e2b"
                    .to_owned(),
            );
        }
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

    /// As they were checked.
    pub(super) fn registries(&self) -> Vec<Repositories> {
        self.registries.iter().filter_map(|registry| registry.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{E2b, Server};

    #[test]
    fn registries_are_named_as_such_and_only_where_somebody_may_ask_for_them() {
        let check = |enabled: bool, registry: &str| {
            let e2b = E2b { enabled, registries: vec![registry.to_owned()], ..E2b::default() };
            e2b.check(&Server::default()).map_err(|error| error.to_string())
        };
        assert_eq!(check(true, "docker.io/library"), Ok(()));
        for (enabled, registry, why) in [
            (true, "docker", "\"docker\" names no registry"),
            (false, "ghcr.io", "only used with e2b.enabled"),
        ] {
            let error = check(enabled, registry).unwrap_err();
            assert!(error.contains("e2b.registries") && error.contains(why), "{error}");
        }
    }
}
