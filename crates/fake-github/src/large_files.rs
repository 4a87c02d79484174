//! Large files beside a repository (Git LFS): GitHub says where each is, and a storage of somebody else's has them. That one takes the addresses
//! that GitHub signed and nothing else: whoever sends their token along as well is refused, as S3 does.
//!
//! Source: github.com/git-lfs/git-lfs, `docs/api/batch.md`; docs.aws.amazon.com, "Authenticating requests (AWS Signature Version 4)".

use crate::{FakeGitHub, Shared, git, problem};
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

const JSON: &str = "application/vnd.git-lfs+json";
const STORAGE: &str = "/storage/";
/// Stands for a signature.
const SIGNED: &str = "signature=s1gn3d";

#[derive(Debug)]
pub(crate) struct LargeFile {
    repository: String,
    id: String,
    content: Vec<u8>,
}

impl FakeGitHub {
    /// Keeps a large file of a repository; its id.
    pub fn keep_large_file(&self, repository: &str, content: &[u8]) -> String {
        let id: String = digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let file =
            LargeFile { repository: repository.to_owned(), id: id.clone(), content: content.to_owned() };
        self.shared.state().large_files.push(file);
        id
    }
}

pub(crate) fn is_of_storage(path: &str) -> bool {
    path.starts_with(STORAGE)
}

/// `None` where it is asked for something else.
pub(crate) fn answer(shared: &Shared, head: &Parts, body: &Bytes) -> Option<Response> {
    let path = head.uri.path();
    if let Some(id) = path.strip_prefix(STORAGE) {
        return Some(stored(shared, head, id));
    }
    let repository = path.strip_suffix(".git/info/lfs/objects/batch")?.trim_start_matches('/');
    Some(match refused(shared, head, path) {
        Some(refused) => refused,
        None => batch(shared, head, repository, body),
    })
}

fn text(head: &Parts, name: header::HeaderName) -> &str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refused(shared: &Shared, head: &Parts, path: &str) -> Option<Response> {
    if head.method != Method::POST || !text(head, header::CONTENT_TYPE).starts_with(JSON) {
        return Some(told(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &json!({ "message": "Unsupported media type" }),
        ));
    }
    if !text(head, header::ACCEPT).starts_with(JSON) {
        return Some(told(StatusCode::NOT_ACCEPTABLE, &json!({ "message": "Not acceptable" })));
    }
    match git::may(shared, text(head, header::AUTHORIZATION), path, false) {
        Some(true) => None,
        Some(false) => Some(told(StatusCode::FORBIDDEN, &json!({ "message": "Forbidden" }))),
        None => Some(told(StatusCode::UNAUTHORIZED, &json!({ "message": "Credentials needed" }))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    #[serde(default)]
    hash_algo: Option<String>,
    objects: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    oid: String,
    size: u64,
}

fn batch(shared: &Shared, head: &Parts, repository: &str, body: &Bytes) -> Response {
    let Ok(batch) = serde_json::from_slice::<Batch>(body) else {
        return told(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "Invalid request" }));
    };
    if batch.operation != "download" || !batch.transfers.iter().all(|name| name == "basic") {
        return told(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "Only downloads are here" }));
    }
    if batch.hash_algo.is_some_and(|name| name != "sha256") {
        return told(StatusCode::CONFLICT, &json!({ "message": "Unsupported hash algorithm" }));
    }
    let (state, host) = (shared.state(), text(head, header::HOST));
    let each = batch.objects.iter().map(|Asked { oid, size }| {
        let is_it = |file: &&LargeFile| file.repository == repository && file.id == *oid;
        match state.large_files.iter().find(is_it) {
            Some(file) if file.content.len() as u64 == *size => {
                let href = format!("http://{host}{STORAGE}{oid}?{SIGNED}");
                let download = json!({ "href": href, "header": { "x-storage": "of-acme" }, "expires_in": 300 });
                json!({ "oid": oid, "size": size, "actions": { "download": download } })
            }
            Some(_) => json!({ "oid": oid, "size": size, "error": { "code": 422, "message": "Wrong size" } }),
            None => json!({ "oid": oid, "size": size, "error": { "code": 404, "message": "Object does not exist" } }),
        }
    });
    let each: Vec<Value> = each.collect();
    told(StatusCode::OK, &json!({ "transfer": "basic", "objects": each }))
}

fn stored(shared: &Shared, head: &Parts, id: &str) -> Response {
    if head.headers.contains_key(header::AUTHORIZATION) {
        let text = "InvalidArgument: Only one auth mechanism allowed";
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let is_signed = head.uri.query() == Some(SIGNED)
        && head.headers.get("x-storage").is_some_and(|value| value == "of-acme");
    if head.method != Method::GET || !is_signed {
        return problem(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let state = shared.state();
    match state.large_files.iter().find(|file| file.id == id) {
        Some(file) => Body::from(file.content.clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

fn told(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
}
