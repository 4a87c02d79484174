//! The names of previews: `p3000-<session>.localhost`, which browsers take for this machine without asking anybody, or the same under
//! a domain of the configuration's.

use lamplight_domain::SessionId;

/// Where previews are when nothing else is configured. Source: RFC 6761, section 6.3.
const LOCAL: &str = "localhost";

/// One port of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewHost {
    pub session: SessionId,
    pub port: u16,
}

impl PreviewHost {
    /// What a `Host` header names; `None` when it is no preview.
    pub fn parse(host: &str, domain: Option<&str>) -> Option<Self> {
        let (label, rest) = host.split_once('.')?;
        let name = rest.rsplit_once(':').map_or(rest, |(name, _)| name);
        let domain = domain.map(|domain| domain.rsplit_once(':').map_or(domain, |(name, _)| name));
        if !name.eq_ignore_ascii_case(LOCAL) && !domain.is_some_and(|own| name.eq_ignore_ascii_case(own)) {
            return None;
        }
        let (port, session) = label.get(1..)?.split_once('-')?;
        if !label.starts_with(['p', 'P']) || port.starts_with(['0', '+']) {
            return None;
        }
        let session = session.to_ascii_uppercase().parse().ok()?;
        Some(Self { session, port: port.parse().ok()? })
    }

    /// Host and port for a browser that has our page at `page`, the `Host` header that it sent us.
    pub fn authority(&self, page: &str, domain: Option<&str>) -> String {
        let session = self.session.to_string().to_ascii_lowercase();
        let domain = domain.map_or_else(
            || {
                let port =
                    page.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
                port.map_or_else(|| LOCAL.to_owned(), |port| format!("{LOCAL}:{port}"))
            },
            str::to_owned,
        );
        format!("p{}-{session}.{domain}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2";

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let host = PreviewHost { session: SESSION.parse().unwrap(), port: 3000 };
        let check = |page: &str, domain: Option<&str>, expected: &str| {
            let authority = host.authority(page, domain);
            assert_eq!(authority, expected);
            assert_eq!(PreviewHost::parse(&authority, domain), Some(host.clone()));
        };
        check("127.0.0.1:7410", None, "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.localhost:7410");
        check("[::1]:80", None, "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.localhost:80");
        check("lamp.example", None, "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.localhost");
        let domain = "previews.example.org:8443";
        check("lamp.example", Some(domain), "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.previews.example.org:8443");
        check("lamp.example", Some("p.example.org"), "p3000-01jd5zk8w3q4r6t7v8x9y0z1a2.p.example.org");
    }

    #[test]
    fn other_names_are_no_previews() {
        let session = SESSION.to_lowercase();
        for host in [
            "localhost:7410".to_owned(),
            "127.0.0.1:7410".into(),
            format!("p3000-{session}.evil.example"),
            format!("p3000-{session}.localhost.evil.example"),
            format!("a.p3000-{session}.localhost"),
            format!("p03000-{session}.localhost"),
            format!("p+3000-{session}.localhost"),
            format!("p70000-{session}.localhost"),
            format!("q3000-{session}.localhost"),
            format!("p3000-{session}x.localhost"),
            format!("p3000{session}.localhost"),
            "p3000-.localhost".into(),
            ".localhost".into(),
            "\u{e9}3000.localhost".into(),
        ] {
            assert_eq!(PreviewHost::parse(&host, Some("previews.example.org")), None, "{host}");
        }
    }
}
