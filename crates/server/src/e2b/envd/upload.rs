//! `POST /files`: files are written as they come, each whole or not at all.

use super::super::answer::Refused;
use super::files::{Filed, refused};
use super::path;
use crate::http::App;
use async_compression::tokio::bufread::GzipDecoder;
use axum::Json;
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use futures::{Stream, StreamExt, TryStreamExt};
use lamplight_e2b::control::Uploaded;
use lamplight_e2b::metadata;
use lamplight_engine::{FileKind, LentFiles, Unfiled};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::io::{ReaderStream, StreamReader};

/// Of a file that is new; of one that was there it stays what it is.
const MODE: u32 = 0o644;

/// Between two pieces of what is uploaded.
const PIECE: Duration = Duration::from_secs(60);

/// Of what is refused, so much is still taken, and for so long.
const REST_BYTES: usize = 16 * 1024 * 1024;
const REST: Duration = Duration::from_secs(5);

/// Files in one request.
const MAX_FILES: usize = 10_000;

type Body = Arc<Mutex<BodyDataStream>>;
type Metadata = BTreeMap<String, String>;
type Content = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

pub(super) async fn handle(
    State(app): State<App>,
    filed: Filed,
    request: Request,
) -> Result<Json<Vec<Uploaded>>, Refused> {
    let headers = request.headers().clone();
    let body = Arc::new(Mutex::new(request.into_body().into_data_stream()));
    let taken = take(&app, &filed, &headers, &body).await;
    if taken.is_err() {
        // Who is still sending would not hear why it is refused.
        let _ = tokio::time::timeout(REST, rest(&body)).await;
    }
    taken
}

async fn take(
    app: &App,
    filed: &Filed,
    headers: &HeaderMap,
    body: &Body,
) -> Result<Json<Vec<Uploaded>>, Refused> {
    let metadata = metadata::of(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let metadata = metadata.map_err(|unkept| Refused::bad_request(unkept.to_string()))?;
    let files = filed.files(app).await?;
    let content = decoded(headers, in_time(body))?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if let Ok(boundary) = multer::parse_boundary(kind) {
        let form = multer::Multipart::new(content, boundary);
        return parts(filed, &files, &metadata, form).await.map(Json);
    }
    if !kind.starts_with("application/octet-stream") {
        let message = "the body has to be multipart/form-data or application/octet-stream";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let Some(said) = &filed.path else {
        return Err(Refused::bad_request("path is required"));
    };
    Ok(Json(vec![write(filed, &files, said, &metadata, content).await?]))
}

/// Each part that is called `file`, all with the same metadata; where the address names none, its file name is the path.
async fn parts(
    filed: &Filed,
    files: &LentFiles,
    metadata: &Metadata,
    mut parts: multer::Multipart<'_>,
) -> Result<Vec<Uploaded>, Refused> {
    let broken = |error: multer::Error| Refused::bad_request(format!("the form did not come whole: {error}"));
    let (mut all, mut paths) = (Vec::new(), BTreeSet::new());
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        if part.name() != Some("file") {
            continue;
        }
        let said = filed.path.clone().or_else(|| part.file_name().map(str::to_owned)).unwrap_or_default();
        let path = filed.absolute(&said)?;
        if !paths.insert(path.clone()) {
            let message = format!(
                "you cannot upload multiple files to the same path '{path}' in one upload request, only the first specified file was uploaded"
            );
            return Err(Refused::bad_request(message));
        }
        if paths.len() > MAX_FILES {
            return Err(Refused::bad_request(format!("a request uploads at most {MAX_FILES} files")));
        }
        let content = part.map_err(io::Error::other);
        all.push(write(filed, files, &said, metadata, content).await?);
    }
    Ok(all)
}

/// What is there keeps its mode, and a link is followed.
async fn write(
    filed: &Filed,
    files: &LentFiles,
    said: &str,
    metadata: &Metadata,
    content: impl Stream<Item = io::Result<Bytes>> + Unpin,
) -> Result<Uploaded, Refused> {
    let path = filed.absolute(said)?;
    let (at, mode) = match files.stat(&path).await {
        Err(Unfiled::NotFound) => (path.clone(), MODE),
        Err(error) => return Err(refused(error, &path)),
        Ok(there) => {
            let real = there.real.unwrap_or_else(|| path.clone());
            match there.entry.leads_to.unwrap_or(there.entry.kind) {
                FileKind::Folder => {
                    return Err(Refused::bad_request(format!("path is a directory: {path}")));
                }
                FileKind::File if there.entry.kind == FileKind::File => (real, there.entry.mode),
                FileKind::File | FileKind::Link | FileKind::Other => (real, MODE),
            }
        }
    };
    let written = files.write(&at, mode, metadata.clone(), content).await;
    if let Err(error) = written.map_err(|error| refused(error, &path))? {
        return Err(Refused::bad_request(format!("the content of {path} did not come whole: {error}")));
    }
    if !metadata.is_empty() {
        is_kept(files, &at).await?;
    }
    let name = path::name(&path).to_owned();
    Ok(Uploaded { name, path, kind: "file", metadata: metadata.clone() })
}

/// A guest of before keeps nothing with a file, and does not say so.
async fn is_kept(files: &LentFiles, at: &str) -> Result<(), Refused> {
    let there = files.stat(at).await.map_err(|error| refused(error, at))?;
    if there.entry.attributes.is_empty() {
        let message = format!(
            "{at} is written, and its metadata is not kept: this sandbox began before that was there"
        );
        return Err(Refused::new(StatusCode::NOT_IMPLEMENTED, message));
    }
    Ok(())
}

/// What is left of a body, as far as it is not too much.
async fn rest(body: &Body) {
    let mut left = REST_BYTES;
    let mut body = body.lock().await;
    while let Some(Ok(piece)) = body.next().await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

/// The body, none of whose pieces is waited for without end.
fn in_time(body: &Body) -> Content {
    let body = Arc::clone(body);
    Box::pin(futures::stream::try_unfold(body, async |body| {
        let piece = tokio::time::timeout(PIECE, async { body.lock().await.next().await }).await;
        match piece {
            Ok(Some(piece)) => Ok(Some((piece.map_err(io::Error::other)?, body))),
            Ok(None) => Ok(None),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }))
}

fn decoded(headers: &HeaderMap, content: Content) -> Result<Content, Refused> {
    match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
        None | Some(b"identity") => Ok(content),
        Some(b"gzip") => Ok(Box::pin(ReaderStream::new(GzipDecoder::new(StreamReader::new(content))))),
        Some(_) => {
            let message = "the body has to be plain, or compressed by gzip";
            Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
    }
}
