//! A host as a program names it, taken in one spelling only.

use lamplight_domain::HostPattern;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A name in lower case without a dot at its end, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

/// The text is no host, or an address in a spelling that only some programs understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAHost;

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse::<Ipv6Addr>().map(Self::from).map_err(|_| NotAHost);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // `127.1`, `0x7f000001`, `2130706433` and `017700000001` are loopback to many; here they are nothing.
        if ends_in_a_number(name) {
            return name.parse::<Ipv4Addr>().map(Self::from).map_err(|_| NotAHost);
        }
        let name = name.parse::<HostPattern>().map_err(|_| NotAHost)?;
        let plain = !name.as_str().starts_with('*') && !name.as_str().contains(':') && !text.ends_with("..");
        if plain { Ok(Self::Name(name.as_str().to_owned())) } else { Err(NotAHost) }
    }
}

/// Source: the URL standard, "ends in a number checker".
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_hexadecimal =
        hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_hexadecimal || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}

impl<T: Into<IpAddr>> From<T> for Host {
    fn from(address: T) -> Self {
        Self::Address(address.into().to_canonical())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A host and a port, as in a request to a proxy; `otherwise` is the port where none is named.
pub(crate) fn authority(text: &str, otherwise: Option<u16>) -> Result<(Host, u16), NotAHost> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok(),
        Some(_) => None,
        None => otherwise,
    };
    match port {
        Some(port) if port > 0 => Ok((host.parse()?, port)),
        _ => Err(NotAHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_counts() {
        let check = |text: &str, host: Option<&str>| {
            assert_eq!(text.parse::<Host>().ok().map(|host| host.to_string()).as_deref(), host, "{text}");
        };
        check("Example.ORG", Some("example.org"));
        check("example.org.", Some("example.org"));
        check("example.org..", None);
        check("1.2.3.4", Some("1.2.3.4"));
        check("1.2.3.4.", Some("1.2.3.4"));
        check("[::ffff:10.0.0.1]", Some("10.0.0.1"));
        check("[2606:4700::1111]", Some("2606:4700::1111"));
        for text in [
            "",
            ".",
            "127.1",
            "127.0.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "0X7F000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "1.2.3",
            "256.1.1.1",
            "a.0x7f",
            "a.1",
            "::1",
            "[::1",
            "::1]",
            "[fe80::1%lo]",
            "[::1]x",
            "a b",
            "a\tb",
            "a/b",
            "a\\b",
            "a@b",
            "user:pass@a",
            "a#b",
            "a?b",
            "a%2eb",
            "*.a",
            "a..b",
            "\u{ff11}.1.1.1",
            "ⓔxample.org",
            "a\0b",
            "1。2",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn an_authority_is_a_host_and_a_port() {
        let check = |text: &str, otherwise: Option<u16>, expected: Option<(&str, u16)>| {
            let parsed = authority(text, otherwise).ok().map(|(host, port)| (host.to_string(), port));
            assert_eq!(parsed, expected.map(|(host, port)| (host.to_owned(), port)), "{text}");
        };
        check("a.test:443", None, Some(("a.test", 443)));
        check("a.test", Some(80), Some(("a.test", 80)));
        check("[2606:4700::1]:8443", None, Some(("2606:4700::1", 8443)));
        check("[2606:4700::1]", Some(80), Some(("2606:4700::1", 80)));
        for text in [
            "a.test",
            "a.test:",
            "a.test:0",
            "a.test:65536",
            "a.test:+80",
            "a.test:80:80",
            "a.test: 80",
            ":80",
            "2606::1:80",
        ] {
            check(text, None, None);
        }
    }
}
