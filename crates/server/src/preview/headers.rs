//! What is taken off and put on between a browser and a program inside.

use super::entrance::{COOKIE, cookies};
use crate::http::App;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// Of one connection only. Source: RFC 9110, section 7.6.1.
const OF_A_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

/// What the program gets to see of a request: nothing of ours. Returns the protocol that it is asked to change to.
pub(super) fn to_program(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let kept: Vec<&str> = cookies(headers)
        .filter(|cookie| cookie.split_once('=').is_none_or(|(name, _)| name.trim() != COOKIE))
        .collect();
    let kept = HeaderValue::from_str(&kept.join("; ")).ok().filter(|kept| !kept.is_empty());
    headers.remove(header::COOKIE);
    headers.extend(kept.map(|kept| (header::COOKIE, kept)));
    of_connection(headers)
}

/// Takes off what is of one connection only, but for the protocol that it is asked to change to, which it gives.
pub(crate) fn of_connection(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.remove(header::UPGRADE);
    take_off(headers);
    if let Some(protocol) = &protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
    protocol
}

/// What the browser gets to see of an answer: a program cannot take our cookie's name, set one for its neighbours, or send the browser
/// to another server, and may be shown in a frame of our page.
pub(super) fn to_browser(headers: &mut HeaderMap) {
    take_off(headers);
    let given: Vec<HeaderValue> =
        headers.get_all(header::SET_COOKIE).iter().filter_map(of_this_host).collect();
    headers.remove(header::SET_COOKIE);
    headers.extend(given.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
    headers.remove(header::X_FRAME_OPTIONS);
    headers.remove(header::ALT_SVC);
}

/// A cookie without its `Domain`.
fn of_this_host(cookie: &HeaderValue) -> Option<HeaderValue> {
    let text = cookie.to_str().ok()?;
    let (name, _) = text.split_once(['=', ';']).unwrap_or((text, ""));
    if name.trim().eq_ignore_ascii_case(COOKIE) {
        return None;
    }
    let is_domain = |part: &&str| {
        part.split_once('=').map_or(*part, |(name, _)| name).trim().eq_ignore_ascii_case("domain")
    };
    // The first part is the cookie itself, whatever it is called.
    let mut parts = text.split(';');
    let first = parts.next()?;
    let kept: Vec<&str> = std::iter::once(first).chain(parts.filter(|part| !is_domain(part))).collect();
    HeaderValue::from_str(&kept.join(";")).ok()
}

fn take_off(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_A_CONNECTION) {
        headers.remove(name);
    }
}

/// Our page alone may show a preview in a frame; whatever the program says about frames holds as well.
pub(super) fn protect(app: &App, mut response: Response) -> Response {
    response.headers_mut().append(header::CONTENT_SECURITY_POLICY, app.frame_ancestors.clone());
    response
}

/// Where our page may be.
pub(crate) fn frame_ancestors(hosts: &[String]) -> HeaderValue {
    // No policy can name an IPv6 address. Source: Content Security Policy Level 3, section 2.3.1.
    let local = ["localhost", "127.0.0.1"].map(str::to_owned);
    let all: String =
        local.iter().chain(hosts).map(|host| format!(" http://{host}:* https://{host}:*")).collect();
    HeaderValue::from_str(&format!("frame-ancestors 'self'{all}"))
        .unwrap_or(HeaderValue::from_static("frame-ancestors 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cookie_stays_with_us() {
        let check = |sent: &[&'static str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for cookie in sent {
                headers.append(header::COOKIE, HeaderValue::from_static(cookie));
            }
            to_program(&mut headers);
            let left = headers.get(header::COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(left, expected, "{sent:?}");
        };
        check(&["__Host-lamplight-preview=secret"], None);
        check(&["a=1; __Host-lamplight-preview=secret; b=2"], Some("a=1; b=2"));
        check(&["a=1", "__Host-lamplight-preview = x ;c"], Some("a=1; c"));
        check(&[], None);
    }

    #[test]
    fn a_program_sets_cookies_of_its_own_host_only() {
        let check = |cookie: &'static str, expected: Option<&str>| {
            let of_host = of_this_host(&HeaderValue::from_static(cookie));
            assert_eq!(of_host.as_ref().map(|value| value.to_str().unwrap()), expected, "{cookie}");
        };
        check("a=1; Path=/; HttpOnly", Some("a=1; Path=/; HttpOnly"));
        check("a=1; DOMAIN =localhost; Path=/", Some("a=1; Path=/"));
        check("domain=mine; Domain=example.org", Some("domain=mine"));
        check("__Host-lamplight-preview=forged; Path=/", None);
        check("__host-Lamplight-preview=; Max-Age=0", None);
    }

    #[test]
    fn a_connections_own_headers_end_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "Upgrade, X-Mine"),
            ("upgrade", "websocket"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("x", "2"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(to_program(&mut headers).unwrap(), "websocket");
        let mut left: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        left.sort();
        assert_eq!(left, ["connection: \"upgrade\"", "upgrade: \"websocket\"", "x: \"2\""]);
    }
}
