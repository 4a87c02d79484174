//! The cookie of a browser that is signed in: a secret by chance, whose hash is in the store with whose it is.
//!
//! It is for our own host alone, no script reads it, and other sites' requests do not carry it but for links that lead here. With TLS
//! its prefix keeps it from ever being sent or set without. Source: RFC 6265bis, section 4.1.3.

use super::super::App;
use super::super::problem::Problem;
use super::Caller;
use crate::clock;
use crate::config::Tls;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use lamplight_engine::people::{BROWSER_MS, SecretKind};

const SECURE: &str = "__Host-lamplight";
const PLAIN: &str = "lamplight";

fn name(app: &App) -> &'static str {
    if app.config.server.tls == Some(Tls::InFront) { SECURE } else { PLAIN }
}

/// The secret that a browser sends. One that is there twice was set by somebody else, and neither counts.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<String> {
    one(headers, name(app))
}

/// The value of the one cookie of this name.
pub(crate) fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(cookie, _)| *cookie == name).map(|(_, value)| value.to_owned());
    match (ours.next(), ours.next()) {
        (Some(value), None) => Some(value),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// Signs a browser in; with `None`, out.
pub(crate) fn set(app: &App, secret: Option<&str>) -> HeaderValue {
    let secure = if name(app) == SECURE { "; Secure" } else { "" };
    let (value, seconds) = secret.map_or(("", 0), |secret| (secret, BROWSER_MS / 1000));
    let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", name(app));
    let mut header = HeaderValue::try_from(text).expect("a secret is letters and digits");
    header.set_sensitive(true);
    header
}

/// Whoever signs in again in the same browser does not leave open what they, or somebody before them, came by.
pub(crate) async fn leave(app: &App, headers: &HeaderMap) {
    let Some(text) = read(app, headers) else { return };
    let Ok(Some(known)) = app.engine.identify(SecretKind::Browser, &text).await else { return };
    if let Err(error) = app.engine.revoke(&known.credential.id, Some(&known.person.id)).await {
        tracing::debug!(%error, "what a browser was in by before is not there any more");
    }
}

/// Whoever changes something by a cookie says from which page: every browser does, and `http/guard.rs` has judged what it says.
pub(super) fn is_from_our_page(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let says = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if method.is_safe() || says {
        return Ok(());
    }
    let detail = "a request with a cookie does not say from which page it comes";
    let what_to_do = "Use a token in a program: lamplight tokens create NAME.";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_missing", detail, what_to_do))
}

/// A browser that stays gets another secret from time to time.
pub(super) async fn renew(app: &App, caller: &Caller, response: &mut Response) {
    let Caller::Known(known) = caller else { return };
    if response.headers().contains_key(header::SET_COOKIE)
        || response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        return;
    }
    match app.engine.renewed(known, clock::now()).await {
        Ok(Some(secret)) => {
            response.headers_mut().append(header::SET_COOKIE, set(app, Some(&secret)));
        }
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "the secret of a browser is not renewed now"),
    }
}
