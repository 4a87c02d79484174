//! Which headers pass.

use axum::http::{HeaderMap, HeaderName, header};

/// Meant for one connection. Source: RFC 9110 section 7.6.1, and what older software sends.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Who asks, and who pays: decided here and not in the sandbox.
const OF_THE_ASKER: [&str; 8] = [
    "api-key",
    "authorization",
    "cookie",
    "host",
    "openai-organization",
    "openai-project",
    "x-api-key",
    // Answered here already.
    "expect",
];

/// Of a request, what goes to the vendor.
pub(super) fn request(received: &HeaderMap) -> HeaderMap {
    let mut headers = passing(received);
    for name in OF_THE_ASKER {
        headers.remove(name);
    }
    // They can leave out of an answer what it cost, change the method, or name another who pays.
    let others: Vec<_> = headers.keys().filter(|name| is_of_google(name.as_str())).cloned().collect();
    for name in others {
        headers.remove(name);
    }
    // Compressed, an answer would hide what it cost.
    headers.remove(header::ACCEPT_ENCODING);
    headers
}

/// Google's "system parameters", but for the one that names the client.
fn is_of_google(name: &str) -> bool {
    name == "x-http-method-override" || name.starts_with("x-goog-") && name != "x-goog-api-client"
}

/// Of an answer, what goes into the sandbox.
pub(super) fn response(received: &HeaderMap) -> HeaderMap {
    let mut headers = passing(received);
    headers.remove(header::SET_COOKIE);
    headers.remove(header::ALT_SVC);
    headers
}

fn passing(received: &HeaderMap) -> HeaderMap {
    let mut headers = received.clone();
    for name in received.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok()) {
        for name in name.split(',').filter_map(|name| HeaderName::try_from(name.trim()).ok()) {
            headers.remove(name);
        }
    }
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
}
