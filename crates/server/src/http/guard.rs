//! From where may be asked. On loopback there may be no sign-in, and a browser that is signed in says so by itself; so a web page elsewhere must not be able to use the visitor's browser
//! to ask for it: neither by a name that it makes point here (DNS rebinding: `Host` is checked) nor across sites
//! (`Origin` is checked, on WebSocket handshakes too, which browsers do not otherwise restrict).

use super::App;
use super::elsewhere::PassedOn;
use super::problem::Problem;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

/// No script but our own files, no frame around us, none in us but previews, nothing sent elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; frame-src 'self' http://*.localhost:* https://*.localhost:*";

/// Refuses as [`refuse_strangers`] does, but for what another server of ours has passed on: it was judged there, by the names that it has.
pub(super) fn judge_request(app: &App, request: &Request) -> Result<(), Problem> {
    match request.extensions().get::<PassedOn>() {
        Some(PassedOn) => Ok(()),
        None => refuse_strangers(app, request.headers()),
    }
}

/// Puts the security headers on an answer.
pub(super) fn protect(app: &App, response: &mut Response) {
    let headers = response.headers_mut();
    // What is somebody else's, such as an attached file, has a stricter one.
    let policy = headers.entry(header::CONTENT_SECURITY_POLICY);
    policy.or_insert_with(|| app.content_security_policy.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

/// Refuses what comes by a name that is not ours, or from another site.
pub(crate) fn refuse_strangers(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    judge(headers, app.listen, &app.config.server.hosts)
}

/// The policy of our own answers; previews may be under a domain of the configuration's.
pub(super) fn content_security_policy(preview_domain: Option<&str>) -> HeaderValue {
    let policy = match preview_domain {
        Some(domain) => format!("{CONTENT_SECURITY_POLICY} http://*.{domain} https://*.{domain}"),
        None => CONTENT_SECURITY_POLICY.to_owned(),
    };
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(CONTENT_SECURITY_POLICY))
}

fn judge(headers: &HeaderMap, listen: SocketAddr, hosts: &[String]) -> Result<(), Problem> {
    let host = single(headers, &header::HOST).and_then(|text| text.parse::<Authority>().ok());
    let Some(host) = host.filter(|host| is_own(host, listen, hosts)) else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host_not_allowed",
            "this server does not answer under that host name",
            format!("Use http://{listen}, or add the name to server.hosts in the configuration."),
        ));
    };
    if is_part_of_another_site(headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "requests from other sites are refused",
            format!("Open http://{listen} itself."),
        ));
    }
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = single(headers, &header::ORIGIN).and_then(|text| text.split_once("://"));
    match origin {
        Some(("http" | "https", authority)) if authority.eq_ignore_ascii_case(host.as_str()) => Ok(()),
        Some(_) | None => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "requests from other sites are refused",
            format!("Open http://{listen} itself."),
        )),
    }
}

/// Browsers say who asks even where they send no `Origin`: for a script, an image, a frame. Other sites may lead to our page, by a
/// link for instance. Source: Fetch Metadata Request Headers, section 2.
fn is_part_of_another_site(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let elsewhere = value("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    elsewhere && (value("sec-fetch-mode"), value("sec-fetch-dest")) != (Some("navigate"), Some("document"))
}

/// The header's value if it is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// The port is not compared: a name is what rebinding forges, and forwarded ports differ.
fn is_own(host: &Authority, listen: SocketAddr, hosts: &[String]) -> bool {
    let name = host.host();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        // An address is no name that could be made to point here.
        Ok(address) => address.is_loopback() || address == listen.ip() || listen.ip().is_unspecified(),
        Err(_) => {
            name.eq_ignore_ascii_case("localhost")
                || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &[&str], origin: Option<&str>) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for value in host {
            headers.append(header::HOST, HeaderValue::from_str(value).unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let listen = "127.0.0.1:7410".parse().unwrap();
        judge(&headers, listen, &["lamp.example".to_owned()]).map_err(|problem| problem.code.into_owned())
    }

    #[test]
    fn only_own_names_are_answered() {
        for host in
            ["127.0.0.1:7410", "localhost:7410", "LOCALHOST", "[::1]:7410", "127.0.0.2", "lamp.example"]
        {
            assert_eq!(verdict(&[host], None), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7410",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(verdict(&[host], None), Err("host_not_allowed".to_owned()), "{host}");
        }
        assert_eq!(verdict(&[], None), Err("host_not_allowed".to_owned()));
        assert_eq!(verdict(&["localhost", "evil.example"], None), Err("host_not_allowed".to_owned()));
    }

    #[test]
    fn only_the_own_origin_is_answered() {
        assert_eq!(verdict(&["localhost:7410"], Some("http://localhost:7410")), Ok(()));
        for origin in [
            "http://evil.example",
            "http://localhost:5173",
            "null",
            "http://127.0.0.1:7410",
            "file://localhost:7410",
            "",
        ] {
            assert_eq!(
                verdict(&["localhost:7410"], Some(origin)),
                Err("origin_not_allowed".to_owned()),
                "{origin}"
            );
        }
    }
}
