//! Large files beside a repository (Git LFS): GitHub says where each is, or is to go, and a storage of somebody else's has them. That one takes the
//! addresses that GitHub signed and nothing else: whoever sends their token along as well is refused, as S3 does, and so is what is not what it is
//! said to be. What was brought is there only once GitHub was told so. With [`FakeGitHub::need_large_files`] a push whose pointers lead nowhere is
//! refused, as by GitHub (GH008).
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
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

const JSON: &str = "application/vnd.git-lfs+json";
const STORAGE: &str = "/storage/";
/// Stands for a signature.
const SIGNED: &str = "signature=s1gn3d";
/// Directory beside the repositories with an empty file for each that is there, for the hook.
const THERE: &str = ".large-files";
/// Source: git-lfs/git-lfs, `docs/spec.md`; the words are GitHub's.
const HOOK: &str = r#"#!/bin/sh
while read -r old new name; do
  for blob in $(git rev-list --objects --no-object-names "$new" --not --all); do
    [ "$(git cat-file -t "$blob")" = blob ] && [ "$(git cat-file -s "$blob")" -lt 1024 ] || continue
    id=$(git cat-file blob "$blob" | sed -n 's/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p')
    if [ -n "$id" ] && [ ! -e "$THERE/$id" ]; then
      echo "error: GH008: Your push referenced at least 1 unknown Git LFS object:" >&2
      echo "error:     $id" >&2
      exit 1
    fi
  done
done
exit 0
"#;

#[derive(Debug)]
pub(crate) struct LargeFile {
    repository: String,
    id: String,
    content: Vec<u8>,
    /// GitHub knows of it.
    is_verified: bool,
}

impl FakeGitHub {
    /// Keeps a large file of a repository; its id.
    pub fn keep_large_file(&self, repository: &str, content: &[u8]) -> String {
        let (repository, id) = (repository.to_owned(), id_of(content));
        let file = LargeFile { repository, id: id.clone(), content: content.to_owned(), is_verified: true };
        self.shared.state().large_files.push(file);
        self.shared.mark(&id);
        id
    }

    /// Of a repository, by id; `None` is not there.
    pub fn large_file(&self, repository: &str, id: &str) -> Option<Vec<u8>> {
        let state = self.shared.state();
        let is_it = |file: &&LargeFile| file.is_verified && file.repository == repository && file.id == id;
        state.large_files.iter().find(is_it).map(|file| file.content.clone())
    }

    /// From now on nothing is pushed to this repository whose pointers lead nowhere.
    pub fn need_large_files(&self, repository: &str) {
        let root = self.shared.root.display().to_string();
        let hook = self.shared.root.join(format!("{repository}.git/hooks/pre-receive"));
        let text = HOOK.replace("$THERE", &format!("{root}/{THERE}"));
        std::fs::create_dir_all(hook.parent().expect("it is below the repository")).expect("there is room");
        std::fs::write(&hook, text).expect("there is room");
        std::fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("it is ours");
    }
}

impl Shared {
    fn mark(&self, id: &str) {
        let directory = self.root.join(THERE);
        std::fs::create_dir_all(&directory).expect("there is room");
        std::fs::write(directory.join(id), "").expect("there is room");
    }
}

fn id_of(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn is_of_storage(path: &str) -> bool {
    path.starts_with(STORAGE)
}

/// `None` where it is asked for something else.
pub(crate) fn answer(shared: &Shared, head: &Parts, body: &Bytes) -> Option<Response> {
    let path = head.uri.path();
    if let Some(rest) = path.strip_prefix(STORAGE) {
        let (repository, id) = rest.rsplit_once('/').unwrap_or_default();
        return Some(stored(shared, head, repository, id, body));
    }
    if let Some(repository) = path.strip_suffix(".git/info/lfs/verify") {
        return Some(verify(shared, head, repository.trim_start_matches('/'), body));
    }
    let repository = path.strip_suffix(".git/info/lfs/objects/batch")?.trim_start_matches('/');
    let writes = serde_json::from_slice::<Batch>(body).is_ok_and(|batch| batch.operation == "upload");
    Some(match refused(shared, head, path, writes) {
        Some(refused) => refused,
        None => batch(shared, head, repository, body),
    })
}

fn text(head: &Parts, name: header::HeaderName) -> &str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refused(shared: &Shared, head: &Parts, path: &str, writes: bool) -> Option<Response> {
    if head.method != Method::POST || !text(head, header::CONTENT_TYPE).starts_with(JSON) {
        return Some(told(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &json!({ "message": "Unsupported media type" }),
        ));
    }
    if !text(head, header::ACCEPT).starts_with(JSON) {
        return Some(told(StatusCode::NOT_ACCEPTABLE, &json!({ "message": "Not acceptable" })));
    }
    match git::may(shared, text(head, header::AUTHORIZATION), path, writes) {
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
    let uploads = batch.operation == "upload";
    if !uploads && batch.operation != "download" || !batch.transfers.iter().all(|name| name == "basic") {
        return told(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "Invalid operation" }));
    }
    if batch.hash_algo.is_some_and(|name| name != "sha256") {
        return told(StatusCode::CONFLICT, &json!({ "message": "Unsupported hash algorithm" }));
    }
    let (state, host) = (shared.state(), text(head, header::HOST));
    let each = batch.objects.iter().map(|Asked { oid, size }| {
        let is_it = |file: &&LargeFile| file.is_verified && file.repository == repository && file.id == *oid;
        let href = format!("http://{host}{STORAGE}{repository}/{oid}?{SIGNED}&bytes={size}");
        let action = json!({ "href": href, "header": { "x-storage": "of-acme" }, "expires_in": 300 });
        match state.large_files.iter().find(is_it) {
            Some(_) if uploads => json!({ "oid": oid, "size": size }),
            Some(file) if file.content.len() as u64 == *size => {
                json!({ "oid": oid, "size": size, "actions": { "download": action } })
            }
            None if uploads => {
                let href = format!("http://{host}/{repository}.git/info/lfs/verify");
                let verify = json!({ "href": href, "header": { "x-verify": SIGNED }, "expires_in": 300 });
                json!({ "oid": oid, "size": size, "actions": { "upload": action, "verify": verify } })
            }
            Some(_) => json!({ "oid": oid, "size": size, "error": { "code": 422, "message": "Wrong size" } }),
            None => json!({ "oid": oid, "size": size, "error": { "code": 404, "message": "Object does not exist" } }),
        }
    });
    let each: Vec<Value> = each.collect();
    told(StatusCode::OK, &json!({ "transfer": "basic", "objects": each }))
}

fn stored(shared: &Shared, head: &Parts, repository: &str, id: &str, body: &Bytes) -> Response {
    if head.headers.contains_key(header::AUTHORIZATION) {
        let text = "InvalidArgument: Only one auth mechanism allowed";
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let query = head.uri.query().unwrap_or_default();
    let bytes =
        query.strip_prefix(SIGNED).and_then(|rest| rest.strip_prefix("&bytes=")?.parse::<usize>().ok());
    let is_known = head.headers.get("x-storage").is_some_and(|value| value == "of-acme");
    let (Some(bytes), true) = (bytes, is_known) else {
        return problem(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    };
    let mut state = shared.state();
    match head.method {
        Method::GET => {
            match state.large_files.iter().find(|file| file.repository == repository && file.id == id) {
                Some(file) => Body::from(file.content.clone()).into_response(),
                None => problem(StatusCode::NOT_FOUND, "NoSuchKey"),
            }
        }
        Method::PUT if text(head, header::CONTENT_TYPE) != "application/octet-stream" => {
            problem(StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
        }
        Method::PUT if body.len() != bytes || id_of(body) != id => {
            problem(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch")
        }
        Method::PUT => {
            let (repository, id, content) = (repository.to_owned(), id.to_owned(), body.to_vec());
            state.large_files.push(LargeFile { repository, id, content, is_verified: false });
            StatusCode::OK.into_response()
        }
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

/// Only what the storage has is there. Source: `docs/api/basic-transfers.md`, "Verification".
fn verify(shared: &Shared, head: &Parts, repository: &str, body: &Bytes) -> Response {
    let is_known = head.headers.get("x-verify").is_some_and(|value| value == SIGNED);
    let is_json =
        text(head, header::CONTENT_TYPE).starts_with(JSON) && text(head, header::ACCEPT).starts_with(JSON);
    let Ok(Asked { oid, size }) = serde_json::from_slice(body) else {
        return told(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "Invalid request" }));
    };
    if head.method != Method::POST || !is_known || !is_json {
        return told(StatusCode::FORBIDDEN, &json!({ "message": "Forbidden" }));
    }
    let mut state = shared.state();
    let is_it = |file: &&mut LargeFile| file.repository == repository && file.id == oid;
    match state.large_files.iter_mut().find(is_it) {
        Some(file) if file.content.len() as u64 == size => {
            file.is_verified = true;
            drop(state);
            shared.mark(&oid);
            told(StatusCode::OK, &json!({}))
        }
        Some(_) | None => told(StatusCode::NOT_FOUND, &json!({ "message": "Object does not exist" })),
    }
}

fn told(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
}
