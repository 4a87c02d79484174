//! Where a GitHub is reached. What is not said follows from its host, in the three forms that there are: github.com, a company's own on
//! `ghe.com`, and an Enterprise Server.
//!
//! Sources: docs.github.com, "Getting started with the REST API" of Enterprise Server, "About GitHub Enterprise Cloud with data residency".

use super::{GitHub, PUBLIC};
use crate::config::ConfigError;

/// Each without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Of its pages: where people sign in, and where Apps are made and installed.
    pub web: String,
    /// Of the REST interface.
    pub api: String,
    /// Of the GraphQL interface, itself.
    pub graphql: String,
    /// What `owner/name.git` is put behind.
    pub git: String,
}

impl Addresses {
    pub(super) fn of(github: &GitHub) -> Self {
        let host = &github.host;
        let said = |address: &Option<String>, default: String| {
            address.as_ref().map_or(default, |address| address.trim_end_matches('/').to_owned())
        };
        let is_ours_to_name = host == PUBLIC || host.ends_with(".ghe.com");
        let api =
            if is_ours_to_name { format!("https://api.{host}") } else { format!("https://{host}/api/v3") };
        let api = said(&github.api, api);
        // Of an Enterprise Server it is beside REST, else below it.
        let beside = api.strip_suffix("/v3").unwrap_or(&api);
        let graphql = said(&github.graphql, format!("{beside}/graphql"));
        let web = said(&github.web, format!("https://{host}"));
        let git = said(&github.git, format!("https://{host}"));
        Self { web, api, graphql, git }
    }

    pub(super) fn check(github: &GitHub) -> Result<(), ConfigError> {
        for (name, address) in Self::said(github) {
            if !["https://", "http://"].iter().any(|scheme| address.starts_with(scheme)) {
                let why = format!("github.{name} is {address:?}, but it should begin with https://");
                return Err(ConfigError::Invalid(why));
            }
        }
        Ok(())
    }

    /// What does not follow from the host, by its key.
    pub(super) fn said(github: &GitHub) -> impl Iterator<Item = (&'static str, &str)> {
        let all =
            [("web", &github.web), ("api", &github.api), ("graphql", &github.graphql), ("git", &github.git)];
        all.into_iter().filter_map(|(name, address)| Some((name, address.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_follows_from_the_host_and_each_can_be_said() {
        let check = |github: GitHub, web: &str, api: &str, graphql: &str, git: &str| {
            let [web, api, graphql, git] = [web, api, graphql, git].map(str::to_owned);
            assert_eq!(Addresses::of(&github), Addresses { web, api, graphql, git });
        };
        let on = |host: &str| GitHub { host: host.to_owned(), ..GitHub::default() };
        let said = |address: &str| Some(address.to_owned());
        let (public, below) = ("https://github.com", "https://api.github.com/graphql");
        check(GitHub::default(), public, "https://api.github.com", below, public);
        let (web, api) = ("https://ghe.acme.example", "https://ghe.acme.example/api/v3");
        check(on("ghe.acme.example"), web, api, "https://ghe.acme.example/api/graphql", web);
        let (web, api) = ("https://acme.ghe.com", "https://api.acme.ghe.com");
        check(on("acme.ghe.com"), web, api, "https://api.acme.ghe.com/graphql", web);
        let isolated = GitHub { api: said("https://api.ghe.example/"), ..on("ghe.example") };
        let web = "https://ghe.example";
        check(isolated.clone(), web, "https://api.ghe.example", "https://api.ghe.example/graphql", web);
        let apart = GitHub {
            web: said("https://1.example/"),
            graphql: said("https://2.example/q"),
            git: said("https://3.example/git//"),
            ..isolated
        };
        let (web, api, graphql) = ("https://1.example", "https://api.ghe.example", "https://2.example/q");
        check(apart, web, api, graphql, "https://3.example/git");
    }
}
