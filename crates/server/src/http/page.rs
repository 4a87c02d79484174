//! The web page, embedded at build time. A path that is no file is the page's own route, so it gets the page.

use super::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` made; nothing when it has not run.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Page;

/// Files under here have their content's hash in their name.
const HASHED: &str = "assets/";

/// Without the page: how to get it.
const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Lamplight</title>\
    <h1>Lamplight runs, without its page</h1>\
    <p>This binary was built before the page. In <code>web/</code> run <code>npm ci</code> and \
    <code>npm run build</code>, then build the binary again. The API is at \
    <a href=/api/v1/openapi.json>/api/v1</a>, and the command line works.</p>";

pub(super) async fn handle(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let detail = format!("{} does not take {method}", uri.path());
        return Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            detail,
            "Use the API under /api/v1.",
        )
        .into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(found) = find(path, &headers) {
        return answer(path, found, &headers);
    }
    if path.starts_with(HASHED) || path.starts_with("api/") {
        let detail = format!("there is nothing at {}", uri.path());
        return Problem::new(StatusCode::NOT_FOUND, "route_not_found", detail, "Load the page again.")
            .into_response();
    }
    match find("index.html", &headers) {
        Some(found) => answer("index.html", found, &headers),
        None => Html(NOT_BUILT).into_response(),
    }
}

/// A file in one of the forms in which it was built, by the name of the form; plain without one.
struct Found {
    file: EmbeddedFile,
    encoding: Option<&'static str>,
}

/// The smallest form that the client takes. Browsers take Brotli over HTTPS and from this machine, gzip from anywhere.
fn find(path: &str, headers: &HeaderMap) -> Option<Found> {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let takes = |name: &str| {
        accepted.split(',').map(|one| one.trim().split(';')).any(|mut one| {
            one.next() == Some(name) && one.all(|weight| weight.trim().trim_end_matches(['0', '.']) != "q=")
        })
    };
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if let Some(file) = takes(encoding).then(|| Page::get(&format!("{path}.{ending}"))).flatten() {
            return Some(Found { file, encoding: Some(encoding) });
        }
    }
    Page::get(path).map(|file| Found { file, encoding: None })
}

fn answer(path: &str, Found { file, encoding }: Found, headers: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(path))], Body::from(file.data)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding.filter(|_| !is_known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hexadecimal digits in quotes"));
    response
}

/// The media types of what a page is made of.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
