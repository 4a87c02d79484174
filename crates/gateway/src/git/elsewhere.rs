//! The repositories of submodules and their large files, at `/git/OWNER/NAME.git`, as far as the grant has them. They are only read.

use super::process::{self, Served, Service, WhenUnread};
use super::{asks_for_version_2, begin, converse, large_files, refusal, start};
use crate::NotBrought;
use crate::serve::Link;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

const ADVERTISE: &str = "/info/refs";
const FETCH: &str = "/git-upload-pack";
const PUSH: &str = "/git-receive-pack";
const LARGE_FILES: &str = "/info/lfs/objects/batch";
const LARGE_FILE: &str = "/info/lfs/objects/";

pub(super) async fn advertise(
    State(link): State<Link>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some((name, id)) = path.split_once(LARGE_FILE) {
        return match name.strip_suffix(".git").unwrap_or(name) {
            name if is_name(name) => large_files::download_from(&link, name, id, query.as_deref()).await,
            _ => nothing_here(),
        };
    }
    let Some(name) = path.strip_suffix(ADVERTISE) else { return nothing_here() };
    match query.as_deref().and_then(|query| Service::named(query.strip_prefix("service=")?)) {
        Some(Service::UploadPack) => {}
        Some(Service::ReceivePack) => return only_read(&link, name).await,
        None => return nothing_here(),
    }
    let query = query.unwrap_or_default();
    let served = match find(&link, name, &format!("{ADVERTISE}?{query}")).await {
        Ok(served) => served,
        Err(refused) => return *refused,
    };
    let version_2 = asks_for_version_2(&headers);
    let command = process::advertise(Service::UploadPack, version_2, &served);
    match start(&link, command, tokio::io::empty(), WhenUnread::Kill).await {
        Ok(output) => begin(Service::UploadPack, version_2, "repository", output).await,
        Err(refused) => *refused,
    }
}

pub(super) async fn fetch(
    State(link): State<Link>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Some(name) = path.strip_suffix(LARGE_FILES) {
        return batch(&link, name, &headers, body).await;
    }
    let Some(name) = path.strip_suffix(FETCH) else {
        return match path.strip_suffix(PUSH) {
            Some(name) => only_read(&link, name).await,
            None => nothing_here(),
        };
    };
    match find(&link, name, FETCH).await {
        Ok(served) => converse(&link, &headers, body, &served).await,
        Err(refused) => *refused,
    }
}

/// Of large files of a submodule, which are only downloaded.
async fn batch(link: &Link, name: &str, headers: &HeaderMap, body: Body) -> Response {
    let name = name.strip_suffix(".git").unwrap_or(name);
    if link.grant.elsewhere.is_none() || !is_name(name) {
        return nothing_here();
    }
    match axum::body::to_bytes(body, large_files::LONGEST_BATCH).await {
        Ok(body) => large_files::batch_of(link, Some(name), headers, &body).await,
        Err(_) => refusal(StatusCode::PAYLOAD_TOO_LARGE, "Ask for fewer large files at a time."),
    }
}

/// What is served under this name; `rest` is what the request's path has behind it.
async fn find(link: &Link, name: &str, rest: &str) -> Result<Served, Box<Response>> {
    let name = name.strip_suffix(".git").unwrap_or(name);
    let refused = |status, sentence: &str| Err(Box::new(refusal(status, sentence)));
    if !is_name(name) {
        return Err(Box::new(nothing_here()));
    }
    let Some(elsewhere) = &link.grant.elsewhere else {
        return refused(StatusCode::NOT_FOUND, "This session has no repository but its own.");
    };
    match elsewhere.repository(name).await {
        Ok(path) => Ok(Served::elsewhere(path)),
        Err(NotBrought::Beside(address)) => {
            let to = [(LOCATION, format!("{address}{rest}"))];
            Err(Box::new((StatusCode::TEMPORARY_REDIRECT, to).into_response()))
        }
        Err(NotBrought::NotAllowed(sentence)) => {
            link.ledger.refused(&sentence).await;
            refused(StatusCode::FORBIDDEN, &sentence)
        }
        Err(NotBrought::NotThere(sentence)) => refused(StatusCode::NOT_FOUND, &sentence),
        Err(NotBrought::Failed(sentence)) => refused(StatusCode::BAD_GATEWAY, &sentence),
    }
}

fn is_name(name: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_of_a_name);
    name.split('/').count() <= 2 && name.split('/').all(is_plain)
}

async fn only_read(link: &Link, name: &str) -> Response {
    if link.grant.elsewhere.is_none() || !is_name(name) {
        return nothing_here();
    }
    let sentence = format!("{name} is only read from here: a session pushes to its own branch alone.");
    link.ledger.refused(&sentence).await;
    refusal(StatusCode::FORBIDDEN, &sentence)
}

fn nothing_here() -> Response {
    refusal(StatusCode::NOT_FOUND, "Nothing is served here.")
}
