//! Git LFS, as far as the grant has it: what a large file's pointer means is downloaded, of the session's repository and of its submodules; what is
//! new in the session's own is uploaded as far as here. Whoever has the grant decides what becomes of it.
//!
//! Source: github.com/git-lfs/git-lfs, `docs/api/batch.md`, `docs/api/basic-transfers.md`.

use super::refusal;
use crate::serve::Link;
use crate::{Elsewhere, NotBrought};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Large files that one session has under way at a time; as many as git-lfs asks for.
pub(crate) const AT_A_TIME: u32 = 8;
/// In one question; git-lfs asks for a hundred.
const MOST_OBJECTS: usize = 1_000;
pub(super) const LONGEST_BATCH: usize = 1 << 20;
const JSON: &str = "application/vnd.git-lfs+json";
/// Where a sandbox finds the gateway, if it does not say where it found it.
const HERE: &str = "127.0.0.1:7411";

#[derive(Deserialize)]
struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    #[serde(default)]
    hash_algo: Option<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize, Serialize)]
struct Object {
    oid: String,
    size: u64,
}

pub(super) async fn batch(State(link): State<Link>, headers: HeaderMap, body: Bytes) -> Response {
    batch_of(&link, None, &headers, &body).await
}

/// Says where each is to be had or brought to, which is here. Whether it is there is found out when it is asked for.
pub(super) async fn batch_of(link: &Link, of: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Response {
    let Ok(batch) = serde_json::from_slice::<Batch>(body) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "This is no question for large files.");
    };
    let elsewhere = match allowed(link) {
        Ok(elsewhere) => elsewhere,
        Err(refused) => {
            link.ledger.refused("Large files (Git LFS) were asked for.").await;
            return *refused;
        }
    };
    let uploads = match batch.operation.as_str() {
        "download" => false,
        "upload" if may_upload(link, of) => true,
        "upload" => {
            link.ledger
                .refused("A large file (Git LFS) was to be uploaded to where nothing may be pushed.")
                .await;
            return problem(
                StatusCode::FORBIDDEN,
                "Large files are only downloaded from here, not uploaded.",
            );
        }
        _ => {
            return problem(StatusCode::UNPROCESSABLE_ENTITY, "Large files are downloaded or uploaded here.");
        }
    };
    if batch.hash_algo.is_some_and(|name| name != "sha256") {
        return problem(StatusCode::CONFLICT, "Large files are known by SHA-256 here.");
    }
    if !batch.transfers.is_empty() && !batch.transfers.iter().any(|name| name == "basic") {
        return problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Large files are transferred by the way basic here.",
        );
    }
    if batch.objects.len() > MOST_OBJECTS {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "Ask for fewer large files at a time.");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(HERE);
    let mut told = Vec::new();
    for object in &batch.objects {
        told.push(match uploads {
            true => tell_upload(link, elsewhere, object, host).await,
            false => tell(object, "download", &address(of, object, host)),
        });
    }
    let told = json!({ "transfer": "basic", "objects": told, "hash_algo": "sha256" });
    (StatusCode::OK, [(CONTENT_TYPE, JSON)], told.to_string()).into_response()
}

/// Only to the session's own repository, and only where its branch may be pushed.
fn may_upload(link: &Link, of: Option<&str>) -> bool {
    of.is_none() && !link.grant.branch.is_empty()
}

fn address(of: Option<&str>, Object { oid, size }: &Object, host: &str) -> String {
    let of = of.unwrap_or("repository");
    format!("http://{host}/git/{of}.git/info/lfs/objects/{oid}?bytes={size}")
}

fn tell(Object { oid, size }: &Object, action: &str, href: &str) -> Value {
    if !is_id(oid) {
        return not_told(oid, *size, 422, "this is no SHA-256");
    }
    json!({ "oid": oid, "size": size, "authenticated": true, "actions": { action: { "href": href } } })
}

fn not_told(oid: &str, size: u64, code: u16, message: &str) -> Value {
    json!({ "oid": oid, "size": size, "error": { "code": code, "message": message } })
}

/// What is there needs no upload, and is told without an action. Source: `docs/api/batch.md`, "Successful Responses".
async fn tell_upload(link: &Link, elsewhere: &Arc<dyn Elsewhere>, object: &Object, host: &str) -> Value {
    let Object { oid, size } = object;
    if !is_id(oid) {
        return not_told(oid, *size, 422, "this is no SHA-256");
    }
    match elsewhere.lacks_large_file(oid, *size).await {
        Ok(true) => tell(object, "upload", &address(None, object, host)),
        Ok(false) => json!({ "oid": oid, "size": size, "authenticated": true }),
        Err(NotBrought::NotAllowed(sentence)) => {
            link.ledger.refused(&sentence).await;
            not_told(oid, *size, 403, &sentence)
        }
        Err(NotBrought::Failed(sentence) | NotBrought::NotThere(sentence) | NotBrought::Beside(sentence)) => {
            not_told(oid, *size, 500, &sentence)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Size {
    bytes: u64,
}

/// Takes one. What was not said before is asked about now; the answer comes when it is kept.
pub(super) async fn upload(
    State(link): State<Link>,
    Path(id): Path<String>,
    Query(Size { bytes }): Query<Size>,
    body: Body,
) -> Response {
    let elsewhere = match allowed(&link) {
        Ok(elsewhere) if is_id(&id) && may_upload(&link, None) => elsewhere.clone(),
        Ok(_) => {
            return problem(
                StatusCode::FORBIDDEN,
                "Large files are only downloaded from here, not uploaded.",
            );
        }
        Err(refused) => return *refused,
    };
    let Some(_slot) = link.door.large_slots.take(&link.grant.session, 1).await else { return busy() };
    let content = body.into_data_stream().map_err(io::Error::other).boxed();
    match elsewhere.keep_large_file(&id, bytes, content).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(NotBrought::NotAllowed(sentence)) => {
            link.ledger.refused(&sentence).await;
            problem(StatusCode::FORBIDDEN, &sentence)
        }
        Err(NotBrought::NotThere(sentence) | NotBrought::Beside(sentence) | NotBrought::Failed(sentence)) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &sentence)
        }
    }
}

fn busy() -> Response {
    let busy =
        refusal(StatusCode::SERVICE_UNAVAILABLE, "Too many large files at once: try again in a minute.");
    ([(RETRY_AFTER, "60")], busy).into_response()
}

pub(super) async fn download(
    State(link): State<Link>,
    Path(id): Path<String>,
    Query(Size { bytes }): Query<Size>,
) -> Response {
    download_of(&link, None, &id, bytes).await
}

/// `query` is what [`address`] made.
pub(super) async fn download_from(link: &Link, of: &str, id: &str, query: Option<&str>) -> Response {
    match query.and_then(|query| query.strip_prefix("bytes=")?.parse().ok()) {
        Some(bytes) => download_of(link, Some(of), id, bytes).await,
        None => refusal(StatusCode::NOT_FOUND, "There is no such large file."),
    }
}

async fn download_of(link: &Link, of: Option<&str>, id: &str, bytes: u64) -> Response {
    let elsewhere = match allowed(link) {
        Ok(elsewhere) if is_id(id) => elsewhere.clone(),
        Ok(_) => return refusal(StatusCode::NOT_FOUND, "There is no such large file."),
        Err(refused) => return *refused,
    };
    let Some(slot) = link.door.large_slots.take(&link.grant.session, 1).await else { return busy() };
    let stream = match elsewhere.large_file(of, id, bytes).await {
        Ok(stream) => stream,
        Err(NotBrought::NotAllowed(sentence)) => {
            link.ledger.refused(&sentence).await;
            return problem(StatusCode::FORBIDDEN, &sentence);
        }
        Err(NotBrought::NotThere(sentence) | NotBrought::Beside(sentence)) => {
            return problem(StatusCode::NOT_FOUND, &sentence);
        }
        Err(NotBrought::Failed(sentence)) => return problem(StatusCode::BAD_GATEWAY, &sentence),
    };
    // No more than was said; git-lfs looks whether it is what it should be.
    let mut left = bytes;
    let stream = stream.and_then(move |piece| {
        let _until_the_end = &slot;
        let rest = left.checked_sub(piece.len() as u64);
        left = rest.unwrap_or(0);
        let too_long = || io::Error::other("the large file is longer than was said");
        std::future::ready(rest.map(|_| piece).ok_or_else(too_long))
    });
    let headers =
        [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, bytes.to_string())];
    (headers, Body::from_stream(stream)).into_response()
}

fn allowed(link: &Link) -> Result<&Arc<dyn Elsewhere>, Box<Response>> {
    let none = "This session has no large files (Git LFS); the server's configuration can allow them.";
    link.grant
        .elsewhere
        .as_ref()
        .filter(|elsewhere| elsewhere.has_large_files())
        .ok_or_else(|| Box::new(problem(StatusCode::FORBIDDEN, none)))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// As git-lfs shows it.
fn problem(status: StatusCode, message: &str) -> Response {
    let mut answer = (status, Json(json!({ "message": message }))).into_response();
    answer.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(JSON));
    answer
}
