//! Git LFS for the session's repository, as far as the grant has it: what a large file's pointer means is downloaded, and nothing is uploaded.
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
use futures::TryStreamExt;
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

/// Says where each is to be had, which is here. Whether it is there is found out when it is asked for.
pub(super) async fn batch(State(link): State<Link>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(batch) = serde_json::from_slice::<Batch>(&body) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "This is no question for large files.");
    };
    if let Err(refused) = allowed(&link) {
        link.ledger.refused("Large files (Git LFS) were asked for.").await;
        return *refused;
    }
    if batch.operation != "download" {
        link.ledger.refused("A large file (Git LFS) was to be uploaded.").await;
        return problem(StatusCode::FORBIDDEN, "Large files are only downloaded from here, not uploaded.");
    }
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
    let told: Vec<Value> = batch.objects.iter().map(|object| tell(object, host)).collect();
    let told = json!({ "transfer": "basic", "objects": told, "hash_algo": "sha256" });
    (StatusCode::OK, [(CONTENT_TYPE, JSON)], told.to_string()).into_response()
}

fn tell(Object { oid, size }: &Object, host: &str) -> Value {
    if !is_id(oid) {
        let error = json!({ "code": 422, "message": "this is no SHA-256" });
        return json!({ "oid": oid, "size": size, "error": error });
    }
    let href = format!("http://{host}/git/repository.git/info/lfs/objects/{oid}?bytes={size}");
    json!({ "oid": oid, "size": size, "authenticated": true, "actions": { "download": { "href": href } } })
}

#[derive(Deserialize)]
pub(super) struct Size {
    bytes: u64,
}

pub(super) async fn download(
    State(link): State<Link>,
    Path(id): Path<String>,
    Query(Size { bytes }): Query<Size>,
) -> Response {
    let elsewhere = match allowed(&link) {
        Ok(elsewhere) if is_id(&id) => elsewhere.clone(),
        Ok(_) => return refusal(StatusCode::NOT_FOUND, "There is no such large file."),
        Err(refused) => return *refused,
    };
    let Some(slot) = link.door.large_slots.take(&link.grant.session, 1).await else {
        let busy =
            refusal(StatusCode::SERVICE_UNAVAILABLE, "Too many large files at once: try again in a minute.");
        return ([(RETRY_AFTER, "60")], busy).into_response();
    };
    let stream = match elsewhere.large_file(&id, bytes).await {
        Ok(stream) => stream,
        Err(NotBrought::NotAllowed(sentence)) => return problem(StatusCode::FORBIDDEN, &sentence),
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
