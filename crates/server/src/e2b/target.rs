//! What a request is for, by its host, its headers and its path.

use super::ids::id_of;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use lamplight_domain::SessionId;
use lamplight_e2b::ENVD_PORT;
use std::net::IpAddr;

/// Says which sandbox, where one address stands for all of them.
const SANDBOX: &str = "e2b-sandbox-id";
const PORT: &str = "e2b-sandbox-port";

/// First parts of paths of the control plane; none of them is a route of ours.
const CONTROL: &[&str] =
    &["sandboxes", "snapshots", "templates", "volumes", "volumecontent", "secrets", "teams", "api-keys"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A route of this server's own.
    Ours,
    Control,
    Sandbox(Place),
}

/// A port of a sandbox. What is no id of one is nobody's, and is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As the client calls it.
    pub(super) name: String,
    pub(super) id: Option<SessionId>,
    pub(super) port: u16,
    /// It has not said which sandbox: whoever has signed for it is meant.
    pub(super) is_unnamed: bool,
}

impl Place {
    fn new(name: &str, port: u16) -> Self {
        // Ids of long ago had a client's behind them.
        let name = name.split('-').next().unwrap_or(name);
        Self { name: name.to_owned(), id: id_of(name), port, is_unnamed: false }
    }
}

impl Target {
    pub(super) fn of(request: &Request, domain: Option<&str>) -> Self {
        let headers = request.headers();
        let host = host(headers);
        let label = domain.and_then(|domain| below(host, domain));
        match label {
            Some("api") => return Self::Control,
            Some(label) if label != "sandbox" => {
                let place = label.split_once('-').and_then(|(port, id)| Some((port.parse().ok()?, id)));
                return place.map_or(Self::Control, |(port, id)| Self::Sandbox(Place::new(id, port)));
            }
            Some(_) | None => {}
        }
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(name) = value(SANDBOX).filter(|_| label.is_some() || is_any_of_ours(host)) {
            let port = value(PORT).and_then(|port| port.parse().ok()).unwrap_or(ENVD_PORT);
            return Self::Sandbox(Place::new(name, port));
        }
        let path = request.uri().path();
        let mut parts = path.split('/').skip(1);
        let first = parts.next().unwrap_or_default();
        match first {
            "files" => Self::Sandbox(Place { is_unnamed: true, ..Place::new("", ENVD_PORT) }),
            "health" => Self::Control,
            "v2" | "v3" => Self::Control,
            part if CONTROL.contains(&part) => Self::Control,
            _ => Self::Ours,
        }
    }
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// The one label before the domain; ports are not compared.
fn below<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let domain = domain.rsplit_once(':').map_or(domain, |(name, _)| name);
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (label, rest) = host.split_once('.')?;
    rest.eq_ignore_ascii_case(domain).then_some(label)
}

pub(super) fn is_under(headers: &HeaderMap, domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| below(host(headers), domain).is_some())
}

/// Headers name a sandbox only where no name of a host does. What is not ours is refused afterwards, as any host.
fn is_any_of_ours(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || !name.contains("-") || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    const ID: &str = "01jd5zk8w3q4r6t7v8x9y0z1a2";

    fn target(host: &str, path: &str, headers: &[(&str, &str)]) -> Target {
        let mut request = Request::builder().uri(path).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Target::of(&request.body(Body::empty()).unwrap(), Some("e2b.test"))
    }

    #[test]
    fn what_is_asked_for_is_told_by_host_header_and_path() {
        let sandbox =
            |port| Target::Sandbox(Place { name: ID.into(), id: id_of(ID), port, is_unnamed: false });
        let own = "127.0.0.1:7410";
        let named = [(SANDBOX, ID)];
        assert_eq!(target(own, "/files", &named), sandbox(49983));
        assert_eq!(target(own, "/x", &[(SANDBOX, ID), (PORT, "49999")]), sandbox(49999));
        assert_eq!(target("sandbox.e2b.test", "/x", &named), sandbox(49983));
        assert_eq!(target(&format!("3000-{ID}.e2b.test"), "/x", &[]), sandbox(3000));
        // The name of the host counts, whatever a header says.
        assert_eq!(target(&format!("3000-{ID}.e2b.test:443"), "/x", &[(SANDBOX, "other")]), sandbox(3000));
        assert_eq!(target(&format!("3000-{ID}-6532622b.e2b.test"), "/x", &[]), sandbox(3000));
        assert_eq!(target("api.e2b.test", "/anything", &[]), Target::Control);
        for path in ["/sandboxes", "/v2/sandboxes?a=b", "/v3/templates", "/health", "/sandboxes/x/pause"] {
            assert_eq!(target(own, path, &[]), Target::Control, "{path}");
        }
        for path in ["/", "/api/v1/sandboxes", "/healthz", "/sessions/x", "/assets/a.js", "/metrics", "/v2x"]
        {
            assert_eq!(target(own, path, &[]), Target::Ours, "{path}");
        }
        let Target::Sandbox(unnamed) = target(own, "/files?path=a", &[]) else { panic!("a sandbox's") };
        assert!(unnamed.is_unnamed && unnamed.id.is_none());
    }
}
