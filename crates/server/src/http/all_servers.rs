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
        Ok(Self::by(parts))
    }
}

impl Asking {
    /// Whoever asks for this.
    pub(in crate::http) fn by(parts: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in [header::HOST, header::AUTHORIZATION, header::COOKIE] {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let peer = parts.extensions.get::<Peer>().copied();
        let is_passed_on = parts.extensions.get::<PassedOn>().is_some();
        Self { headers, peer, is_passed_on }
    }

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
        let servers = app.engine.servers().await?;
        let Some(us) = servers.iter().find(|server| server.is_this) else { return Ok(Told::Alone(ours)) };
        let mut among = Among { ours: (name(us), ours), others: Vec::new(), not_answering: Vec::new() };
        for (server, answer) in self.of(app, servers, path).await {
            match answer {
                Some(part) => among.others.push((name(&server), part)),
                None => among.not_answering.push(name(&server)),
            }
        }
        let is_alone = among.others.is_empty() && among.not_answering.is_empty();
        Ok(if is_alone { Told::Alone(among.ours.1) } else { Told::Among(among) })
    }

    /// The parts of the others alone; `None` of one that does not tell it in time.
    pub(in crate::http) async fn others<T: DeserializeOwned>(
        &self,
        app: &App,
        path: &'static str,
    ) -> Result<Vec<(ServerInfo, Option<T>)>, Problem> {
        let servers = app.engine.servers().await?;
        Ok(self.of(app, servers, path).await)
    }

    async fn of<T: DeserializeOwned>(
        &self,
        app: &App,
        servers: Vec<ServerInfo>,
        path: &'static str,
    ) -> Vec<(ServerInfo, Option<T>)> {
        let others: Vec<_> =
            servers.into_iter().filter(|server| server.is_alive && !server.is_this).collect();
        let parts = join_all(others.iter().map(|server| self.part(app, server, path))).await;
        others.into_iter().zip(parts).collect()
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
