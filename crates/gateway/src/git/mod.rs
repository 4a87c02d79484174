//! Git's smart HTTP protocol over the person's repository: fetch what is public in it, push the session's branch. Beside it what makes its
//! files whole: the repositories of submodules, which are only read, and large files.
//!
//! The host's own git does the work; this module decides. The path in the URL is fixed, the repository comes from the
//! grant, and nothing of a request reaches a command line or an environment but the choice between two protocol versions.
//! Source: gitprotocol-http(5), gitprotocol-pack(5), gitprotocol-v2(5).

mod commands;
mod elsewhere;
pub(crate) mod large_files;
mod process;
mod report;
mod rules;

use crate::serve::Link;
use async_compression::tokio::bufread::GzipDecoder;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use commands::Unreadable;
use futures::{Stream, StreamExt, TryStreamExt};
use process::{Served, Service, WhenUnread};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// How long the command list of a push may take to arrive, and the pack of a refused one to be thrown away.
const READ_WAIT: Duration = Duration::from_secs(10 * 60);
/// What one fetch may ask, after decompression; about a million commits.
const MAX_FETCH_REQUEST_BYTES: u64 = 64 << 20;
/// Pieces of git's output (of [`process::PIECE_BYTES`]) between git and a client that reads slowly.
const MAX_PIECES: usize = 4;

/// Git processes of one session at a time.
pub(crate) const MAX_PROCESSES: u32 = 4;

pub(crate) fn routes() -> Router<Link> {
    Router::new()
        .route("/git/repository.git/info/refs", get(advertise))
        .route("/git/repository.git/git-upload-pack", post(fetch))
        .route("/git/repository.git/git-receive-pack", post(push))
        .route(
            "/git/repository.git/info/lfs/objects/batch",
            post(large_files::batch).layer(DefaultBodyLimit::max(large_files::LONGEST_BATCH)),
        )
        .route(
            "/git/repository.git/info/lfs/objects/{id}",
            get(large_files::download).put(large_files::upload),
        )
        .route("/git/{*path}", get(elsewhere::advertise).post(elsewhere::fetch))
}

async fn advertise(State(link): State<Link>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(service) = query.as_deref().and_then(|query| Service::named(query.strip_prefix("service=")?))
    else {
        return refusal(
            StatusCode::FORBIDDEN,
            "Only git's smart HTTP protocol is served: git 1.6.6 or newer.",
        );
    };
    let version_2 = service == Service::UploadPack && asks_for_version_2(&headers);
    let command = process::advertise(service, version_2, &Served::own(&link.grant));
    match start(&link, command, tokio::io::empty(), WhenUnread::Kill).await {
        Ok(output) => begin(service, version_2, "session's repository", output).await,
        Err(refused) => *refused,
    }
}

/// What git says first, with its heading.
async fn begin(
    service: Service,
    version_2: bool,
    what: &str,
    mut output: mpsc::Receiver<io::Result<Bytes>>,
) -> Response {
    let Some(first) = output.recv().await else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("The {what} cannot be read."));
    };
    // Version 2 has no such heading. Source: http-backend.c, get_info_refs.
    let heading = if version_2 { Bytes::new() } else { report::heading(service.name()) };
    let body = futures::stream::iter([Ok(heading), first]).chain(pieces(output));
    answer(service.advertisement_type(), Body::from_stream(body))
}

async fn fetch(State(link): State<Link>, headers: HeaderMap, body: Body) -> Response {
    let own = Served::own(&link.grant);
    converse(&link, &headers, body, &own).await
}

async fn converse(link: &Link, headers: &HeaderMap, body: Body, served: &Served) -> Response {
    let service = Service::UploadPack;
    if !is(headers, service.request_type()) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not a git request.");
    }
    let input: Box<dyn AsyncBufRead + Send + Unpin> = match encoding(headers) {
        Some(b"gzip" | b"x-gzip") => Box::new(BufReader::new(GzipDecoder::new(reader(body)))),
        None => Box::new(reader(body)),
        Some(_) => {
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "A fetch may be sent plain or as gzip.");
        }
    };
    let command = process::converse(service, asks_for_version_2(headers), served);
    match start(link, command, input.take(MAX_FETCH_REQUEST_BYTES), WhenUnread::Kill).await {
        Ok(output) => answer(service.result_type(), Body::from_stream(pieces(output))),
        Err(refused) => *refused,
    }
}

async fn push(State(link): State<Link>, headers: HeaderMap, body: Body) -> Response {
    let service = Service::ReceivePack;
    if !is(&headers, service.request_type()) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not a git request.");
    }
    if encoding(&headers).is_some() {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A push has to be sent without Content-Encoding.",
        );
    }
    let mut input = reader(body);
    let push = match tokio::time::timeout(READ_WAIT, commands::read(&mut input)).await {
        Ok(Ok(push)) => push,
        Ok(Err(Unreadable::TooLong)) => {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too many refs in one push: this session has one branch.",
            );
        }
        Ok(Err(Unreadable::Malformed(what))) => return refusal(StatusCode::BAD_REQUEST, what),
        Err(_elapsed) => return refusal(StatusCode::REQUEST_TIMEOUT, "The push did not arrive in time."),
    };
    if push.capabilities.push_certificate {
        link.ledger.refused("A signed push was refused.").await;
        return refusal(StatusCode::FORBIDDEN, "Signed pushes are not accepted.");
    }
    // Before a large push git asks with an empty one whether it may.
    if push.commands.is_empty() {
        return answer(service.result_type(), Body::empty());
    }
    let judged = match rules::judge(&push, &link.grant) {
        Ok(command) if process::may_stand_for_another(&link.grant).await => {
            Err(vec![rules::symbolic(command)])
        }
        judged => judged,
    };
    let command = match judged {
        Ok(command) => command,
        Err(refusals) => {
            // A client that is still sending does not read; what it sends is dropped before it is answered.
            let mut rest = input.take(process::MAX_PUSH_BYTES);
            let _ends_either_way =
                tokio::time::timeout(READ_WAIT, tokio::io::copy_buf(&mut rest, &mut tokio::io::sink())).await;
            for refused in &refusals {
                link.ledger.refused(&refused.sentence()).await;
            }
            return match report::rejected(&push.capabilities, &refusals) {
                Some(report) => answer(service.result_type(), Body::from(report)),
                None => refusal(StatusCode::FORBIDDEN, &refusals[0].reason),
            };
        }
    };
    if !link.ledger.may_push() {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nothing is taken for now: this session may be at another server. Try again in a minute.",
        );
    }
    let new = command.new.clone();
    let input = io::Cursor::new(push.bytes).chain(input).take(process::MAX_PUSH_BYTES);
    let command = process::converse(service, false, &Served::own(&link.grant));
    match start(&link, command, input, WhenUnread::Finish { pushed: new }).await {
        Ok(output) => answer(service.result_type(), Body::from_stream(pieces(output))),
        Err(refused) => *refused,
    }
}

/// Starts git as a task of the door's, so that a push which has all it needs is finished though nobody waits for it.
async fn start(
    link: &Link,
    command: tokio::process::Command,
    input: impl AsyncBufRead + Send + Unpin + 'static,
    when_unread: WhenUnread,
) -> Result<mpsc::Receiver<io::Result<Bytes>>, Box<Response>> {
    let Some(slot) = link.door.git_slots.take(&link.grant.session, 1).await else {
        let busy = refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many git operations at once: try again in a minute.",
        );
        return Err(Box::new(([(RETRY_AFTER, "60")], busy).into_response()));
    };
    let (output, pieces) = mpsc::channel(MAX_PIECES);
    let link = link.clone();
    let door = link.door.clone();
    door.tasks.spawn(async move {
        if let Err(error) = process::run(command, input, &output, &when_unread).await {
            tracing::warn!(session.id = %link.grant.session, error = format!("{error:#}"), "git did not run to its end");
        }
        if let WhenUnread::Finish { pushed } = when_unread
            && process::tip(&link.grant).await.as_deref() == Some(pushed.as_str())
        {
            link.ledger.pushed(&pushed).await;
        }
        // Only now does the answer end: whoever pushed goes on when the ledger knows.
        drop(output);
        drop(slot);
    });
    Ok(pieces)
}

fn pieces(mut output: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::poll_fn(move |context| output.poll_recv(context))
}

fn reader(body: Body) -> impl AsyncBufRead + Send + Unpin {
    StreamReader::new(body.into_data_stream().map_err(io::Error::other))
}

/// What the body is compressed with, if it is, by any of its fields.
fn encoding(headers: &HeaderMap) -> Option<&[u8]> {
    let all = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    all.into_iter().find(|name| !name.eq_ignore_ascii_case(b"identity"))
}

fn is(headers: &HeaderMap, content_type: &str) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes() == content_type.as_bytes())
}

/// Source: gitprotocol-v2(5), "HTTP Transport": keys and values separated by colons.
fn asks_for_version_2(headers: &HeaderMap) -> bool {
    headers
        .get("git-protocol")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(':').any(|part| part == "version=2"))
}

fn answer(content_type: &'static str, body: Body) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], body).into_response()
}

fn refusal(status: StatusCode, sentence: &str) -> Response {
    (status, format!("{sentence}\n")).into_response()
}
