//! The way in: an address of our page's making, changed for a cookie of the preview's own host.
//!
//! The cookie is `Partitioned`: a preview inside of our page and the same in a tab of its own have one each, and any other site that
//! shows it has none. Its prefix keeps programs of other previews from setting it. Sources: RFC 6265bis, section 4.1.3; CHIPS.

use super::{PreviewHost, STAY, refused};
use crate::clock;
use crate::http::App;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lamplight_engine::PassKind;

/// Where a browser enters; no program inside is asked for this.
pub(super) const PATH: &str = "/.lamplight/enter";

/// The name of our cookie.
pub(super) const COOKIE: &str = "__Host-lamplight-preview";

/// Lets the browser in, and sends it on to the program's first page.
pub(super) fn handle(app: &App, host: &PreviewHost, request: &Request) -> Response {
    let now = clock::now();
    let query = request.uri().query().unwrap_or_default();
    let pass = query.split('&').find_map(|pair| pair.strip_prefix("pass=")).unwrap_or_default();
    let Some(pass) = app.previews.read(pass, PassKind::Entrance, host, now) else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "This address counts for a minute only",
            "Open the preview again under Ports on the session's page.",
        );
    };
    let cookie = app.previews.pass(host, PassKind::Stay, pass.by, now, STAY).ok().and_then(|stay| {
        let seconds = STAY.as_secs();
        let text = format!(
            "{COOKIE}={stay}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=None; Partitioned"
        );
        HeaderValue::from_str(&text).ok()
    });
    let Some(cookie) = cookie else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "No pass could be made", "Try again.");
    };
    let headers = [
        (header::LOCATION, HeaderValue::from_static("/")),
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers, Body::empty()).into_response()
}

/// What a browser shows to be let in.
pub(super) fn passes(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    cookies(headers).filter_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Every cookie that was sent, as `name=value`.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty())
}
