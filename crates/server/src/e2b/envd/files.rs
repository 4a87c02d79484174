//! `GET /files`: a file's content.

use super::super::answer::Refused;
use super::super::target::Place;
use super::enter::{Unreachable, awake, has_token, unauthorized};
use super::path;
use crate::clock;
use crate::http::App;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use lamplight_e2b::listing::pairs;
use lamplight_e2b::signature::{Operation, Signed};
use lamplight_engine::{FileKind, FileReader, LentFiles, LentSandbox, LentState, LentUser, Unfiled};
use std::io;

/// Somebody who may read or write one path, by the sandbox's token or by a signature.
pub(super) struct Filed {
    pub(super) sandbox: LentSandbox,
    pub(super) user: LentUser,
    /// As it was said; `None` where nobody did.
    pub(super) path: Option<String>,
}

impl FromRequestParts<App> for Filed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        admit(parts, app).await.map_err(|refused| match refused {
            NotAdmitted::Refused(refused) => refused.into_response(),
            NotAdmitted::Unreachable(unreachable) => unreachable.into_response(),
        })
    }
}

enum NotAdmitted {
    Refused(Refused),
    Unreachable(Unreachable),
}

impl From<Refused> for NotAdmitted {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What the address says.
#[derive(Default)]
struct Query {
    path: Option<String>,
    user: Option<String>,
    signature: Option<String>,
    expires: Option<String>,
}

impl Query {
    fn of(parts: &Parts) -> Self {
        let mut all = Self::default();
        for (name, value) in pairs(parts.uri.query().unwrap_or_default()) {
            match name.as_str() {
                "path" => all.path = Some(value),
                "username" => all.user = Some(value),
                "signature" => all.signature = Some(value),
                "signature_expiration" => all.expires = Some(value),
                _ => {}
            }
        }
        all
    }
}

async fn admit(parts: &mut Parts, app: &App) -> Result<Filed, NotAdmitted> {
    let place =
        parts.extensions.get::<Place>().cloned().expect("the router of a sandbox is asked with its place");
    let query = Query::of(parts);
    let operation = if parts.method == Method::POST { Operation::Write } else { Operation::Read };
    let sandbox = match place.is_unnamed {
        true => signed_for(app, &query, operation)
            .await?
            .ok_or_else(|| NotAdmitted::Unreachable(Unreachable::no_sandbox("")))?,
        false => awake(app, &place).await.map_err(NotAdmitted::Unreachable)?,
    };
    if place.is_unnamed || !has_token(app, &sandbox, &parts.headers).await? {
        judge(app, &sandbox, &query, operation).await?;
    }
    let user = app.engine.lent_user(query.user.as_deref());
    let user = user.ok_or_else(|| {
        let name = query.user.unwrap_or_default();
        Refused::new(StatusCode::UNAUTHORIZED, format!("invalid username: '{name}'"))
    })?;
    Ok(Filed { sandbox, user, path: query.path })
}

/// The one whose token has signed; addresses of before named the sandbox by their host, which one address for all cannot.
async fn signed_for(app: &App, query: &Query, operation: Operation) -> Result<Option<LentSandbox>, Refused> {
    for sandbox in app.engine.lent() {
        if sandbox.state == LentState::Running && is_signed(app, &sandbox, query, operation).await? {
            return Ok(Some(sandbox));
        }
    }
    Ok(None)
}

async fn is_signed(
    app: &App,
    sandbox: &LentSandbox,
    query: &Query,
    operation: Operation,
) -> Result<bool, Refused> {
    let Some(signature) = &query.signature else { return Ok(false) };
    let expires = query.expires.as_ref().map(|text| text.parse());
    let Ok(expires) = expires.transpose() else { return Ok(false) };
    let signed = Signed {
        path: query.path.as_deref().unwrap_or_default(),
        operation,
        user: query.user.as_deref().unwrap_or_default(),
        expires,
    };
    Ok(signed.is_signed_by(&app.engine.lent_token(&sandbox.id).await?, signature))
}

async fn judge(app: &App, sandbox: &LentSandbox, query: &Query, operation: Operation) -> Result<(), Refused> {
    let refused = |why: &str| Err(Refused::new(StatusCode::UNAUTHORIZED, why));
    if query.signature.is_none() {
        let is_said = query.expires.is_some();
        return if is_said { refused("missing signature query parameter") } else { Err(unauthorized()) };
    }
    if !is_signed(app, sandbox, query, operation).await? {
        return refused("invalid signature");
    }
    let expires = query.expires.as_ref().and_then(|text| text.parse::<i64>().ok());
    match expires {
        Some(expires) if expires < clock::now().0 / 1000 => refused("signature is already expired"),
        Some(_) | None => Ok(()),
    }
}

impl Filed {
    pub(super) async fn files(&self, app: &App) -> Result<LentFiles, Refused> {
        Ok(app.engine.lent_files(&self.sandbox.id, self.user.is_root).await?)
    }

    pub(super) fn absolute(&self, said: &str) -> Result<String, Refused> {
        path::absolute(said, self.user.home).ok_or_else(|| Refused::bad_request("this is not a path"))
    }
}

pub(super) async fn handle(
    State(app): State<App>,
    filed: Filed,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let path = filed.absolute(filed.path.as_deref().unwrap_or_default())?;
    let files = filed.files(&app).await?;
    let there = files.stat(&path).await.map_err(|error| refused(error, &path))?;
    let real = there.real.unwrap_or_else(|| path.clone());
    let entry = match there.entry.kind {
        FileKind::Link => files.stat(&real).await.map_err(|error| refused(error, &path))?.entry,
        FileKind::File | FileKind::Folder | FileKind::Other => there.entry,
    };
    if entry.kind == FileKind::Folder {
        return Err(Refused::bad_request(format!("path '{path}' is a directory")));
    }
    let mut reader = files.read(&real).await.map_err(|error| refused(error, &path))?;
    // Of what the kernel makes up there is more than it says.
    let length = (entry.bytes > 0).then_some(entry.bytes);
    let (status, skipped, wanted, body) = match length.and_then(|length| range(&headers, length)) {
        Some(Err(())) => {
            let all = [(header::CONTENT_RANGE, format!("bytes */{}", entry.bytes))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response());
        }
        Some(Ok((from, to))) => {
            let wanted = Some(to + 1 - from);
            (StatusCode::PARTIAL_CONTENT, from, wanted, Body::from_stream(content(reader, from, wanted)))
        }
        None => {
            let (wanted, body) = whole(&mut reader, length).await.map_err(|error| refused(error, &path))?;
            let body =
                body.unwrap_or_else(|(begun, left)| Body::from_stream(begun.chain(content(reader, 0, left))));
            (StatusCode::OK, 0, wanted, body)
        }
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let mut set = |name: HeaderName, value: String| {
        answer.headers_mut().extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::CONTENT_DISPOSITION, format!("inline; filename={}", quoted(path::name(&path))));
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::VARY, "Accept-Encoding".to_owned());
    if let Some(wanted) = wanted {
        set(header::CONTENT_LENGTH, wanted.to_string());
        if status == StatusCode::PARTIAL_CONTENT {
            set(header::CONTENT_RANGE, format!("bytes {skipped}-{}/{}", skipped + wanted - 1, entry.bytes));
        }
    }
    Ok(answer)
}

/// A file that is so small that it came at once is as long as it was then, whoever writes to it meanwhile; of a longer one, the pieces that
/// came are given back, and its length is what it said.
async fn whole(
    reader: &mut FileReader,
    length: Option<u64>,
) -> Result<(Option<u64>, Result<Body, Begun>), Unfiled> {
    let Some(first) = reader.next().await? else { return Ok((Some(0), Ok(Body::empty()))) };
    match reader.next().await? {
        None => Ok((Some(first.len() as u64), Ok(Body::from(first)))),
        Some(second) => {
            // What is written to it from now on is not sent.
            let came = (first.len() + second.len()) as u64;
            let left = length.map(|length| length.saturating_sub(came));
            Ok((length, Err((futures::stream::iter([Ok(first), Ok(second)]), left))))
        }
    }
}

/// The first pieces of a file, and how many bytes of it are left.
type Begun = (futures::stream::Iter<std::array::IntoIter<io::Result<Bytes>, 2>>, Option<u64>);

fn quoted(name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect();
    format!("\"{plain}\"")
}

/// One range of bytes, first and last. Of several, none is told apart: then all is sent, as who asks has to expect.
fn range(headers: &HeaderMap, length: u64) -> Option<Result<(u64, u64), ()>> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (from, to) = text.split_once('-').filter(|_| !text.contains(','))?;
    let (from, to) = match (from.trim(), to.trim()) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length - 1),
        (from, "") => (from.parse().ok()?, length - 1),
        (from, to) => (from.parse().ok()?, to.parse::<u64>().ok()?.min(length - 1)),
    };
    Some(if from <= to { Ok((from, to)) } else { Err(()) })
}

/// So much of a file, behind so many bytes of it.
fn content(
    reader: FileReader,
    skipped: u64,
    wanted: Option<u64>,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let state = (reader, skipped, wanted.unwrap_or(u64::MAX));
    futures::stream::try_unfold(state, async |(mut reader, mut skipped, mut left)| {
        while left > 0 {
            let Some(mut piece) = reader.next().await.map_err(io::Error::other)? else { return Ok(None) };
            let before = skipped.min(piece.len() as u64);
            skipped -= before;
            let mut piece = piece.split_off(before as usize);
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            if !piece.is_empty() {
                left -= piece.len() as u64;
                return Ok(Some((piece, (reader, skipped, left))));
            }
        }
        Ok(None)
    })
}

pub(super) fn refused(error: Unfiled, path: &str) -> Refused {
    match error {
        Unfiled::NotFound => Refused::new(StatusCode::NOT_FOUND, format!("path '{path}' does not exist")),
        Unfiled::Another(why) => Refused::bad_request(why),
        Unfiled::Denied(why) => Refused::new(StatusCode::FORBIDDEN, why),
        // ENOSPC and EDQUOT, and EFBIG where the limit is ours, as the guest says them.
        Unfiled::Refused(why)
            if ["os error 27", "os error 28", "os error 122"].iter().any(|full| why.contains(full)) =>
        {
            Refused::new(StatusCode::INSUFFICIENT_STORAGE, format!("not enough disk space for {path}"))
        }
        // EOPNOTSUPP
        Unfiled::Refused(why) if why.contains("os error 95") => {
            let message = format!("the file system of {path} keeps no metadata with files");
            Refused::new(StatusCode::NOT_IMPLEMENTED, message)
        }
        Unfiled::Exists | Unfiled::Refused(_) => {
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        Unfiled::Sandbox(error) => error.into(),
    }
}
