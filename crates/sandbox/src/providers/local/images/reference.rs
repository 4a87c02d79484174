//! What an image of a registry is called, and whose images programs may name.

use super::oci::blob_path;
use anyhow::{Context, Result};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What Docker asks where no registry is named.
const DOCKER: &str = "docker.io";

/// `docker.io/library/debian:12`, `ghcr.io/owner/name@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// Host, and port where there is one.
    registry: String,
    repository: String,
    /// A tag, or a digest with its algorithm.
    pub(super) version: String,
}

impl ImageReference {
    /// `None` for what names no registry, or is otherwise no reference.
    pub fn parse(text: &str) -> Option<Self> {
        let (registry, rest) = text.split_once('/')?;
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (name, None),
        };
        let is_tag = |tag: &str| {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            tag.len() <= 128
                && tag.bytes().next().is_some_and(word)
                && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
        };
        let registry = registry_of(registry)?;
        let is_one = is_path(repository)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(|digest| blob_path(digest).is_ok());
        let official = registry == DOCKER && !repository.contains('/');
        is_one.then(|| Self {
            registry,
            repository: if official { format!("library/{repository}") } else { repository.to_owned() },
            version: digest.or(tag).unwrap_or("latest").to_owned(),
        })
    }

    /// As Docker and Dockerfiles mean it: `python:3` is one of Docker's own registry.
    pub fn of_docker(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((first, _)) if names_a_host(first) => Self::parse(text),
            Some(_) | None => Self::parse(&format!("{DOCKER}/{text}")),
        }
    }

    /// The last part of its repository's path.
    pub fn short_name(&self) -> &str {
        self.repository.rsplit_once('/').map_or(&self.repository, |(_, name)| name)
    }

    /// Where its repository is asked, ending in a slash. In the clear only where it stays on this machine.
    pub(super) fn base(&self) -> Result<Url> {
        let host = match self.registry.as_str() {
            DOCKER => "registry-1.docker.io",
            host => host,
        };
        let encrypted = Url::parse(&format!("https://{host}/v2/{}/", self.repository))
            .with_context(|| format!("make the address of {self}"))?;
        if !is_this_machine(&encrypted) {
            return Ok(encrypted);
        }
        Ok(Url::parse(&format!("http://{host}/v2/{}/", self.repository))?)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.version.contains(':') { '@' } else { ':' };
        write!(f, "{}/{}{sign}{}", self.registry, self.repository, self.version)
    }
}

/// A registry, or what is below a path of one: `ghcr.io`, `docker.io/library`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repositories {
    registry: String,
    under: Option<String>,
}

impl Repositories {
    pub fn hold(&self, image: &ImageReference) -> bool {
        let is_under = |path: &String| {
            let rest = image.repository.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.registry == image.registry && self.under.as_ref().is_none_or(is_under)
    }
}

/// The text names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no registry; say it like ghcr.io, or docker.io/library")]
pub struct NoRepositories(String);

impl FromStr for Repositories {
    type Err = NoRepositories;

    fn from_str(text: &str) -> Result<Self, NoRepositories> {
        let (registry, under) = match text.split_once('/') {
            Some((registry, under)) => (registry, Some(under)),
            None => (text, None),
        };
        match registry_of(registry) {
            Some(registry) if under.is_none_or(is_path) => {
                Ok(Self { registry, under: under.map(str::to_owned) })
            }
            Some(_) | None => Err(NoRepositories(text.to_owned())),
        }
    }
}

/// As it is compared: hosts have no case, and Docker's has two names.
fn registry_of(text: &str) -> Option<String> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    let is_one = names_a_host(text) && begins && text.bytes().all(is_host);
    let registry = text.to_ascii_lowercase();
    is_one.then(|| if registry == "index.docker.io" { DOCKER.to_owned() } else { registry })
}

fn names_a_host(text: &str) -> bool {
    text.contains(['.', ':']) || text.eq_ignore_ascii_case("localhost")
}

fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    path.split('/').all(|part| {
        part.bytes().next().is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
    })
}

pub(super) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

pub(super) fn is_this_machine(url: &Url) -> bool {
    let host = host(url).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_their_registry() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(ImageReference::parse(text).map(|one| one.to_string()).as_deref(), expected, "{text}");
        };
        check("docker.io/debian", Some("docker.io/library/debian:latest"));
        check("Index.docker.io/debian", Some("docker.io/library/debian:latest"));
        check("docker.io/library/debian:12", Some("docker.io/library/debian:12"));
        check("ghcr.io/a/b/c:v1.2_x", Some("ghcr.io/a/b/c:v1.2_x"));
        check("localhost:5000/x", Some("localhost:5000/x:latest"));
        let digest = format!("ghcr.io/a/b@sha256:{}", "0a".repeat(32));
        check(&digest, Some(&digest));
        for wrong in [
            "debian",
            "library/debian",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a:",
            "ghcr.io/a//b",
            "ghcr.io/../a",
            "ghcr.io/a@sha256:1",
            "ghcr.io/a:b/c",
            "gh cr.io/a",
            "user@ghcr.io/a",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_names_no_registry_is_dockers_for_those_who_say_it_as_docker() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = ImageReference::of_docker(text).map(|one| one.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("python:3", Some("docker.io/library/python:3"));
        check("oven/bun", Some("docker.io/oven/bun:latest"));
        check("ghcr.io/a/b", Some("ghcr.io/a/b:latest"));
        check("localhost/x", Some("localhost/x:latest"));
        check("../x", None);
        check("", None);
    }

    #[test]
    fn a_list_holds_what_it_names_and_nothing_that_looks_like_it() {
        let holds = |list: &str, image: &str| {
            let list: Repositories = list.parse().unwrap();
            list.hold(&ImageReference::of_docker(image).unwrap())
        };
        for (list, image) in [
            ("docker.io/library", "python:3"),
            ("index.docker.io", "oven/bun"),
            ("ghcr.io", "GHCR.io/a/b"),
            ("ghcr.io/a", "ghcr.io/a/b/c"),
            ("ghcr.io/a/b", "ghcr.io/a/b"),
            ("127.0.0.1:5000", "127.0.0.1:5000/a"),
        ] {
            assert!(holds(list, image), "{list} {image}");
        }
        for (list, image) in [
            ("docker.io/library", "oven/bun"),
            ("ghcr.io/a", "ghcr.io/ab/c"),
            ("ghcr.io/a/b", "ghcr.io/a"),
            ("ghcr.io", "ghcr.io:444/a"),
            ("ghcr.io", "ghcr.io.example.org/a"),
            ("ghcr.io", "ghcr.io./a"),
            ("127.0.0.1:5000", "127.0.0.1:5001/a"),
            ("127.0.0.1:5000", "localhost:5000/a"),
        ] {
            assert!(!holds(list, image), "{list} {image}");
        }
        for wrong in ["", "docker", "https://ghcr.io", "ghcr.io/", "ghcr.io/A", "ghcr.io/a:1", "*", "a b.c"] {
            assert!(wrong.parse::<Repositories>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        let base = |text: &str| ImageReference::parse(text).unwrap().base().unwrap().to_string();
        assert_eq!(base("docker.io/debian"), concat!("https://", "registry-1.docker.io/v2/library/debian/"));
        assert_eq!(base("localhost:5000/a"), "http://localhost:5000/v2/a/");
        assert_eq!(base("127.0.0.1:5000/a"), "http://127.0.0.1:5000/v2/a/");
        assert_eq!(base("127.0.0.1.example.org/a"), "https://127.0.0.1.example.org/v2/a/");
    }
}
