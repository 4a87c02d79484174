//! How much of the outside a session may reach, decided on the host for everything that runs inside.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// What programs inside may connect to, beside the gateway. Addresses that are not public are not among it, whatever this says:
/// whoever runs the deployment names those.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case")]
#[schema(as = log::Network)]
pub enum Network {
    /// Every public host.
    Open,
    /// These hosts and no others.
    Allowlist { hosts: Vec<HostPattern> },
    /// Nothing. Sessions from before there was a network have this.
    #[default]
    None,
}

impl Network {
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether a host may be asked for by this name or address, in the form that [`HostPattern::matches`] takes.
    pub fn allows(&self, host: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Allowlist { hosts } => hosts.iter().any(|pattern| pattern.matches(host)),
            Self::None => false,
        }
    }
}

/// One word, and the hosts of a list.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::None => f.write_str("none"),
            Self::Allowlist { hosts } => {
                let hosts: Vec<&str> = hosts.iter().map(HostPattern::as_str).collect();
                write!(f, "only {}", hosts.join(", "))
            }
        }
    }
}

/// A host's name or address, or `*.` and a name for everything below it (and not the name itself). Lower case, without a dot at
/// the end; names beyond ASCII in the form that starts with `xn--`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

/// Source: RFC 1035, 2.3.4.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

impl HostPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `host` is lower case and without a dot at the end.
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            // The dot stays: `*.example.org` is not `badexample.org`.
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => host == self.0,
        }
    }
}

impl FromStr for HostPattern {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= LABEL_BYTES
                && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        let is_name = name.len() <= NAME_BYTES && name.split('.').all(is_label);
        let is_address = name == lower && name.parse::<std::net::IpAddr>().is_ok();
        if is_name || is_address { Ok(Self(lower)) } else { Err(NotAHost(text.to_owned())) }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = NotAHost;

    fn try_from(text: String) -> Result<Self, NotAHost> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

/// What is wrong with a text that should have named hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAHost(pub String);

impl fmt::Display for NotAHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} names no host (example.org, *.example.org or an address; no port, no path)", self.0)
    }
}

impl std::error::Error for NotAHost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_name_or_all_below_it() {
        let check = |pattern: &str, host: &str, matches: bool| {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().matches(host), matches, "{pattern} {host}");
        };
        check("example.org", "example.org", true);
        check("Example.ORG.", "example.org", true);
        check("example.org", "www.example.org", false);
        check("*.example.org", "www.example.org", true);
        check("*.example.org", "a.b.example.org", true);
        check("*.example.org", "example.org", false);
        check("*.example.org", "badexample.org", false);
        check("*.example.org", ".example.org", false);
        check("10.0.0.7", "10.0.0.7", true);
        check("fd00::7", "fd00::7", true);
    }

    #[test]
    fn what_is_more_than_a_host_is_no_pattern() {
        for text in [
            "",
            "*",
            "*.",
            "**.a",
            "a.*",
            "a b",
            "a/b",
            "a:80",
            "http://a",
            "user@a",
            "a..b",
            "bücher.example",
            "10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(NotAHost(text.to_owned())));
        }
    }

    #[test]
    fn the_policy_decides_by_name() {
        let list = Network::Allowlist { hosts: vec!["*.example.org".parse().unwrap()] };
        let allowed = |network: &Network| ["a.example.org", "b.test"].map(|host| network.allows(host));
        assert_eq!(allowed(&Network::Open), [true, true]);
        assert_eq!(allowed(&list), [true, false]);
        assert_eq!(allowed(&Network::None), [false, false]);
        assert_eq!(list.to_string(), "only *.example.org");
    }
}
