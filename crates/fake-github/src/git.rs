//! Git over HTTP, by git's own server program.

use crate::{Shared, now_s, problem};
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

pub(crate) async fn answer(shared: &Shared, head: &Parts, body: Bytes) -> Response {
    let path = head.uri.path();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_push = path.ends_with("/git-receive-pack")
        || head.uri.query().is_some_and(|query| query.contains("service=git-receive-pack"));
    match may(shared, header(header::AUTHORIZATION), path, is_push) {
        Some(true) => {}
        Some(false) => return problem(StatusCode::FORBIDDEN, "Write access to repository not granted."),
        None => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"GitHub\"")];
            return (StatusCode::UNAUTHORIZED, ask, "Repository not found.").into_response();
        }
    }
    let repository =
        path.trim_start_matches('/').split_once(".git/").and_then(|(name, _)| name.split_once('/'));
    if repository.and_then(|(owner, name)| shared.directory(owner, name)).is_none() {
        return problem(StatusCode::NOT_FOUND, "Not Found");
    }
    let served = backend(shared, head, body).await;
    served.unwrap_or_else(|| problem(StatusCode::INTERNAL_SERVER_ERROR, "Server Error"))
}

/// `None` is of somebody whom it does not know.
pub(crate) fn may(shared: &Shared, authorization: &str, path: &str, is_push: bool) -> Option<bool> {
    let user = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let token = std::str::from_utf8(&user).ok()?.strip_prefix("x-access-token:")?;
    if token == shared.token {
        return Some(true);
    }
    let state = shared.state();
    let minted = state.minted.iter().find(|minted| minted.token == token && minted.until_s > now_s())?;
    let repository = path.trim_start_matches('/').split_once(".git/")?.0;
    let level = if is_push { "write" } else { "read" };
    minted.is_for(repository).then(|| minted.may("contents", level))
}

impl Shared {
    /// The newest commit of a branch.
    pub(crate) fn tip_of(&self, repository: &str, branch: &str) -> Option<String> {
        self.ask(repository, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }

    /// A branch whose newest commit this is.
    pub(crate) fn branch_at(&self, repository: &str, commit: &str) -> Option<String> {
        let format = "--format=%(refname:short)";
        let all = self.ask(repository, &["for-each-ref", format, "--points-at", commit, "refs/heads"])?;
        all.lines().next().map(str::to_owned)
    }

    fn ask(&self, repository: &str, arguments: &[&str]) -> Option<String> {
        let (owner, name) = repository.split_once('/')?;
        let git = std::process::Command::new("git")
            .arg("-C")
            .arg(self.directory(owner, name)?)
            .args(arguments)
            .output();
        let output = git.ok().filter(|output| output.status.success())?;
        let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!said.is_empty()).then_some(said)
    }
}

/// As a web server would run it. Source: git-http-backend(1), RFC 3875.
async fn backend(shared: &Shared, head: &Parts, body: Bytes) -> Option<Response> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "")
        .env("GIT_PROTOCOL", header("git-protocol".parse().ok()?))
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", header(header::CONTENT_ENCODING))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_USER", "x-access-token")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let (_, output) = tokio::join!(
        async move {
            // It may answer before it has read everything.
            let _ = stdin.write_all(&body).await;
        },
        child.wait_with_output()
    );
    let output = output.ok()?.stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (mut status, mut answer) = (StatusCode::OK, Response::builder());
    for line in std::str::from_utf8(&output[..end]).ok()?.lines() {
        let (name, value) = line.split_once(": ")?;
        if name.eq_ignore_ascii_case("status") {
            status = value.get(..3)?.parse().ok()?;
        } else {
            answer = answer.header(name, value);
        }
    }
    answer.status(status).body(Body::from(output[end + 4..].to_vec())).ok()
}
