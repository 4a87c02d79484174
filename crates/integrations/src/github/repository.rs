//! Which repository of which host an address of git means.

use std::fmt;

/// `owner/name` on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Without user and port, in lower case.
    pub host: String,
    pub owner: String,
    pub name: String,
}

impl Repository {
    /// Of an address that git takes: `https://host/owner/name.git`, `ssh://git@host:22/owner/name`, `git@host:owner/name.git`. `None` of
    /// a path, and of what is no `owner/name`.
    pub fn of_address(address: &str) -> Option<Self> {
        let (authority, path) = match address.split_once("://") {
            Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
            Some(_) => return None,
            // A colon behind a slash is of a path.
            None => address.split_once(':').filter(|(host, _)| !host.contains('/'))?,
        };
        let host = authority.rsplit('@').next()?.split(':').next()?.to_lowercase();
        let (owner, name) = path.trim_matches('/').split_once('/')?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        let is_plain = |part: &str| {
            part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                && part.chars().any(|c| c != '.')
        };
        (!host.is_empty() && is_plain(owner) && is_plain(name)).then(|| Self {
            host,
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_understood() {
        let all = [
            "https://github.com/acme/api.git",
            "https://github.com/acme/api",
            "https://user:token@GitHub.com/acme/api.git/",
            "ssh://git@github.com:22/acme/api.git",
            "git@github.com:acme/api.git",
            "github.com:acme/api",
        ];
        for address in all {
            let repository = Repository::of_address(address).unwrap_or_else(|| panic!("{address}"));
            assert_eq!(
                (repository.host.as_str(), repository.to_string().as_str()),
                ("github.com", "acme/api"),
                "{address}"
            );
        }
        let none = [
            "/srv/git/acme/api.git",
            "file:///srv/git/acme/api.git",
            "../api",
            "https://github.com/acme",
            "https://github.com/acme/api/pulls",
            "https://github.com/../api",
            "https://github.com/acme/..",
            "git@github.com:acme/a b",
            "C:/acme/api/x",
        ];
        for address in none {
            assert_eq!(Repository::of_address(address), None, "{address}");
        }
    }
}
