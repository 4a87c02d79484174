//! What each server has a part of, told as one: whoever is asked asks the others for theirs, all at the same time.
//!
//! ```text
//! person ──▶ this server ─┬─ its own part
//!                         ├─ another server's, asked for as a request that is passed on ─▶ its own part; it asks nobody
//!                         └─ a server that does not answer in time ─▶ is named instead
//! ```
//! The others find out for themselves who asks and what that person may see, as with everything that is passed on (`http/elsewhere.rs`).

use super::App;
use super::audit::Peer;
use super::elsewhere::{PassedOn, ask};
use super::problem::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use futures::future::join_all;
use lamplight_engine::ServerInfo;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::time::Duration;

/// For a whole answer of another server. Somebody waits for it, and what is missing then is said.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Who asks, as other servers are told it.
pub(in crate::http) struct Asking {
    headers: HeaderMap,
    peer: Option<Peer>,
    /// Another server asks for our part.
    is_passed_on: bool,
}

/// What there is of something.
pub(in crate::http) enum Told<T> {
    /// There is no other server, or one of them asks.
    Alone(T),
    Among(Among<T>),
}

/// The parts of several servers, each with the server's name.
pub(in crate::http) struct Among<T> {
    pub(in crate::http) ours: (String, T),
    pub(in crate::http) others: Vec<(String, T)>,
    /// By name.
    pub(in crate::http) not_answering: Vec<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut headers = HeaderMap::new();
        for name in [header::HOST, header::AUTHORIZATION, header::COOKIE] {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let peer = parts.extensions.get::<Peer>().copied();
        let is_passed_on = parts.extensions.get::<PassedOn>().is_some();
        Ok(Self { headers, peer, is_passed_on })
    }
}

impl Asking {
    /// All parts of what is at this path; `ours` is the one of this server.
    pub(in crate::http) async fn all<T: DeserializeOwned>(
        &self,
        app: &App,
        path: &'static str,
        ours: T,
    ) -> Result<Told<T>, Problem> {
        if self.is_passed_on || app.engine.server() == 0 {
            return Ok(Told::Alone(ours));
        }
        let (us, others): (Vec<_>, Vec<_>) =
            app.engine.servers().await?.into_iter().partition(|server| server.is_this);
        let others: Vec<_> = others.iter().filter(|server| server.is_alive).collect();
        let ([us], [_, ..]) = (&us[..], &others[..]) else { return Ok(Told::Alone(ours)) };
        let answers = join_all(others.iter().map(|server| self.part(app, server, path))).await;
        let mut among = Among { ours: (name(us), ours), others: Vec::new(), not_answering: Vec::new() };
        for (server, answer) in others.into_iter().zip(answers) {
            match answer {
                Some(part) => among.others.push((name(server), part)),
                None => among.not_answering.push(name(server)),
            }
        }
        Ok(Told::Among(among))
    }

    /// `None` where it is not told, or not in time.
    async fn part<T: DeserializeOwned>(
        &self,
        app: &App,
        server: &ServerInfo,
        path: &'static str,
    ) -> Option<T> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static(path);
        *request.headers_mut() = self.headers.clone();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let answer = async {
            let answer = ask(app, (server.number, &server.address), request).await?;
            let is_told = answer.status().is_success();
            let body = to_bytes(answer.into_body(), ANSWER_BYTES).await.ok()?;
            if is_told { serde_json::from_slice(&body).ok() } else { None }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
        if answer.is_none() {
            tracing::debug!(server.number, server.address, path, "another server does not tell its part");
        }
        answer
    }
}

/// What people know a server by.
fn name(server: &ServerInfo) -> String {
    match server.address.as_str() {
        "" => format!("server {}", server.number),
        address => address.to_owned(),
    }
}
