//! What the gateway itself answers to a request for a model, in the shape that the vendor's clients read.
//!
//! Clients try again on 408, 409, 429 and 5xx, some for more than a minute (OpenCode) although `x-should-retry: false` asks
//! them not to. With 403 goose, Claude and OpenCode end at once and Codex within seconds, all with our sentence.

use super::{Vendor, asking};
use crate::{NotReserved, UpstreamName};
use axum::Json;
use axum::http::header::{RETRY_AFTER, UPGRADE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Read by the SDKs of both vendors. Source: their generated clients, `_should_retry`.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// After so long a request that is being answered may have ended.
const BUSY_SECONDS: &str = "5";

/// Codex and others then use plain HTTP.
pub(super) fn upgrade(vendor: Vendor) -> Response {
    let answer =
        final_word(vendor, StatusCode::UPGRADE_REQUIRED, Kind::Request, "Only plain HTTP is served here.");
    ([(UPGRADE, "HTTP/1.1")], answer).into_response()
}

/// For those who come by TCP.
pub(crate) fn unauthorized(vendor: Vendor, what: &str) -> Response {
    final_word(vendor, StatusCode::UNAUTHORIZED, Kind::Key, what)
}

pub(super) fn not_granted(vendor: Vendor) -> Response {
    final_word(vendor, StatusCode::FORBIDDEN, Kind::Permission, "This session may not use models.")
}

pub(super) fn not_served(vendor: Vendor, what: &str) -> Response {
    final_word(vendor, StatusCode::NOT_FOUND, Kind::NotFound, what)
}

pub(super) fn no_key(name: &UpstreamName) -> Response {
    let vendor = Vendor::from(name);
    let sentence = match name {
        UpstreamName::OpenAi | UpstreamName::Anthropic | UpstreamName::Gemini => {
            let variable = vendor.key_variable();
            format!(
                "no model key is configured: run `lamplight keys set {name}` where the Lamplight server runs, or set {variable} there and restart it"
            )
        }
        UpstreamName::Compatible(_) => {
            let section = name.section();
            format!(
                "the Lamplight server has no [{section}] in its configuration, or cannot open the key that is stored for it: `lamplight keys list` says which"
            )
        }
    };
    final_word(vendor, StatusCode::FORBIDDEN, Kind::Key, &sentence)
}

pub(super) fn not_reserved(vendor: Vendor, why: &NotReserved) -> Response {
    match why {
        NotReserved::Spent(sentence) => final_word(vendor, StatusCode::FORBIDDEN, Kind::Budget, sentence),
        NotReserved::Busy(sentence) => {
            let busy = answer(vendor, StatusCode::TOO_MANY_REQUESTS, Kind::Busy, sentence);
            ([(RETRY_AFTER, BUSY_SECONDS)], busy).into_response()
        }
    }
}

pub(super) fn unpriced(vendor: Vendor, what: &str) -> Response {
    final_word(vendor, StatusCode::FORBIDDEN, Kind::Permission, what)
}

pub(super) fn unreadable(vendor: Vendor) -> Response {
    let sentence = "The request names no model, or is no JSON document that can be read in only one way.";
    final_word(vendor, StatusCode::BAD_REQUEST, Kind::Request, sentence)
}

pub(super) fn chat(vendor: Vendor, refused: asking::Refused) -> Response {
    match refused {
        asking::Refused::TooLong => final_word(
            vendor,
            StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Request,
            "The request is longer than 64 MiB.",
        ),
        asking::Refused::Compressed => final_word(
            vendor,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Request,
            "This request has to be sent without Content-Encoding.",
        ),
        asking::Refused::BrokeOff => {
            answer(vendor, StatusCode::REQUEST_TIMEOUT, Kind::Request, "The request did not arrive whole.")
        }
        asking::Refused::Busy => {
            let sentence = "This session asks too much of its models at once: try again in a minute.";
            let busy = answer(vendor, StatusCode::SERVICE_UNAVAILABLE, Kind::Upstream, sentence);
            ([(RETRY_AFTER, "60")], busy).into_response()
        }
    }
}

/// Worth another try.
pub(super) fn unreachable(vendor: Vendor) -> Response {
    answer(
        vendor,
        StatusCode::BAD_GATEWAY,
        Kind::Upstream,
        "The model provider cannot be reached from the Lamplight server.",
    )
}

/// What a client's classification reads, in each vendor's words.
enum Kind {
    Request,
    Permission,
    NotFound,
    Key,
    /// There is no money for it.
    Budget,
    Busy,
    Upstream,
}

fn final_word(vendor: Vendor, status: StatusCode, kind: Kind, sentence: &str) -> Response {
    ([(SHOULD_RETRY, "false")], answer(vendor, status, kind, sentence)).into_response()
}

fn answer(vendor: Vendor, status: StatusCode, kind: Kind, sentence: &str) -> Response {
    let body = match vendor {
        Vendor::OpenAi => {
            let (kind, code) = match kind {
                Kind::Request => ("invalid_request_error", "request_not_supported"),
                Kind::Permission => ("invalid_request_error", "permission_denied"),
                Kind::NotFound => ("invalid_request_error", "unknown_url"),
                Kind::Key => ("invalid_request_error", "invalid_api_key"),
                Kind::Budget => ("insufficient_quota", "insufficient_quota"),
                Kind::Busy => ("requests", "rate_limit_exceeded"),
                Kind::Upstream => ("server_error", "upstream_unreachable"),
            };
            json!({"error": {"message": sentence, "type": kind, "param": null, "code": code}})
        }
        Vendor::Anthropic => {
            let kind = match kind {
                Kind::Request => "invalid_request_error",
                Kind::Permission | Kind::Budget => "permission_error",
                Kind::Busy => "rate_limit_error",
                Kind::NotFound => "not_found_error",
                Kind::Key => "authentication_error",
                Kind::Upstream => "api_error",
            };
            json!({"type": "error", "error": {"type": kind, "message": sentence}})
        }
        Vendor::Gemini => {
            let kind = match kind {
                Kind::Request => "INVALID_ARGUMENT",
                Kind::Key if status == StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
                Kind::Permission | Kind::Key | Kind::Budget => "PERMISSION_DENIED",
                Kind::Busy => "RESOURCE_EXHAUSTED",
                Kind::NotFound => "NOT_FOUND",
                Kind::Upstream => "UNAVAILABLE",
            };
            json!({"error": {"code": status.as_u16(), "message": sentence, "status": kind}})
        }
    };
    (status, Json(body)).into_response()
}
