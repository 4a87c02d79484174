//! The API, from the outside: what every command but `serve` uses.

use crate::http::problem::Problem;
use crate::http::resources::SessionView;
use crate::http::sessions::list::{MAX_LIMIT, SessionList};
use anyhow::{Context, bail};
use bytes::Bytes;
use lamplight_domain::SessionId;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, Upgraded};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::Role;

/// A server on this machine takes a connection at once or is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// Longer than the server itself waits for a session.
const ANSWER: Duration = Duration::from_secs(60);
/// Sessions that match an abbreviation and are named in the error.
const NAMED: usize = 5;

#[derive(Debug, Clone)]
pub(super) struct Client {
    base: String,
    http: reqwest::Client,
}

/// A WebSocket to the server.
pub(super) type Socket = WebSocketStream<Upgraded>;

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("no Lamplight server answers at {0}; start one with `lamplight serve`")]
    Unreachable(String),
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error("the server at {base} answered {status}, which is no answer of Lamplight's")]
    Strange { base: String, status: StatusCode },
}

impl Client {
    /// Signs in with `token`, if there is one.
    pub(super) fn new(base: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let is_plain = base.starts_with("http://");
        if !is_plain && !base.starts_with("https://") {
            bail!("{base:?} is not an address of a server; say http://HOST:PORT or https://HOST");
        }
        lamplight_engine::install_tls_provider();
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let bearer = HeaderValue::try_from(format!("Bearer {token}"));
            let mut bearer = bearer.context("the token has characters that no token has")?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        // Nowhere else: a token is for this server alone.
        let builder = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER);
        let http = match is_plain {
            // Without TLS no root certificate has to be read.
            true => builder.no_proxy().tls_certs_only([]).connect_timeout(CONNECT),
            false => builder,
        };
        let http = http.build().context("make an HTTP client")?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The page of a session.
    pub(super) fn page(&self, session: &str) -> String {
        format!("{}/sessions/{session}", self.base)
    }

    /// A session's event stream after `seq`.
    /// Where attempts at one task are looked at side by side.
    pub(super) fn comparison(&self, session: &str) -> String {
        format!("{}/compare/{session}", self.base())
    }

    pub(super) async fn events(&self, session: &str, seq: u64) -> anyhow::Result<Socket> {
        self.socket(&format!("/sessions/{session}/events?resume={seq}")).await
    }

    /// A terminal, from all that is kept of it on.
    pub(super) async fn terminal(&self, session: &str, terminal: &str) -> anyhow::Result<Socket> {
        self.socket(&format!("/sessions/{session}/terminals/{terminal}/stream")).await
    }

    /// Source: RFC 6455, section 4.1.
    async fn socket(&self, path: &str) -> anyhow::Result<Socket> {
        let key = generate_key();
        let request = self.http.get(format!("{}/api/v1{path}", self.base)).headers(HeaderMap::from_iter([
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            (header::SEC_WEBSOCKET_KEY, HeaderValue::try_from(&key).context("a key is letters and digits")?),
        ]));
        let answer = request.send().await.map_err(|error| self.not_sent(error))?;
        let status = answer.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let bytes = answer.bytes().await.context("read the server's answer")?;
            return Err(self.refusal(status, &bytes));
        }
        let accepted = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(ClientError::Strange { base: self.base.clone(), status }.into());
        }
        let stream = answer.upgrade().await.context("open a WebSocket")?;
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    /// Where a browser is led on to the preview of a port.
    pub(super) fn preview(&self, session: &str, port: u16) -> String {
        format!("{}/api/v1/sessions/{session}/ports/{port}/open", self.base)
    }

    /// Where a browser is led on to VS Code.
    pub(super) fn code(&self, session: &str) -> String {
        format!("{}/api/v1/sessions/{session}/code/open", self.base)
    }

    /// Whether a Lamplight server answers.
    pub(super) async fn is_there(&self) -> bool {
        let answer = self.http.get(format!("{}/healthz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Whether it takes work, and what it says of that.
    pub(super) async fn readiness(&self) -> anyhow::Result<(bool, String)> {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        let answer = answer.map_err(|error| self.not_sent(error))?;
        let status = answer.status();
        if status != StatusCode::OK && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(ClientError::Strange { base: self.base.clone(), status }.into());
        }
        Ok((status == StatusCode::OK, answer.text().await.context("read the server's answer")?))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, None::<&()>).await
    }

    /// What is listed under these conditions.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        let bytes = self.send(self.http.get(self.url(path, query)?)).await?;
        serde_json::from_slice(&bytes).context("understand the server's answer")
    }

    /// What is in a file that is kept.
    pub(super) async fn attachment(&self, id: &str) -> anyhow::Result<Bytes> {
        self.ask(Method::GET, &format!("/attachments/{id}"), None::<&()>).await
    }

    /// Sends a file as it is.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        content: Vec<u8>,
    ) -> anyhow::Result<T> {
        let bytes = self.send(self.http.post(self.url(path, query)?).body(content)).await?;
        serde_json::from_slice(&bytes).context("understand the server's answer")
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<reqwest::Url> {
        let mut url =
            reqwest::Url::parse(&format!("{}/api/v1{path}", self.base)).context("make the address")?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        self.call(Method::POST, path, body).await
    }

    /// For what is done once: where the connection breaks before there is an answer it is asked again, with the same key.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let key = generate_key();
        let ask = || {
            let request = self.http.post(format!("{}/api/v1{path}", self.base));
            self.send(request.header("idempotency-key", &key).json(body))
        };
        let bytes = match ask().await {
            Err(error) if is_unreachable(&error) => ask().await?,
            answered => answered?,
        };
        serde_json::from_slice(&bytes).context("understand the server's answer")
    }

    /// For what has nothing to say.
    pub(super) async fn tell(&self, path: &str) -> anyhow::Result<()> {
        self.ask(Method::POST, path, None::<&()>).await.map(drop)
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.ask(Method::DELETE, path, None::<&()>).await.map(drop)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let bytes = self.ask(method, path, body).await?;
        serde_json::from_slice(&bytes).context("understand the server's answer")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> anyhow::Result<Bytes> {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Bytes> {
        let answer = request.send().await.map_err(|error| self.not_sent(error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.context("read the server's answer")?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(self.refusal(status, &bytes))
    }

    fn not_sent(&self, error: reqwest::Error) -> anyhow::Error {
        match error.is_connect() {
            true => ClientError::Unreachable(self.base.clone()).into(),
            false => anyhow::Error::new(error).context(format!("ask the server at {}", self.base)),
        }
    }

    fn refusal(&self, status: StatusCode, answer: &[u8]) -> anyhow::Error {
        match serde_json::from_slice::<Problem>(answer) {
            Ok(problem) => ClientError::Refused(Box::new(problem)).into(),
            Err(_) => ClientError::Strange { base: self.base.clone(), status }.into(),
        }
    }

    pub(super) async fn session(&self, id: &str) -> anyhow::Result<SessionView> {
        self.get(&format!("/sessions/{id}")).await
    }

    /// The whole id of the one session whose id begins or ends so.
    pub(super) async fn resolve(&self, text: &str) -> anyhow::Result<String> {
        let wanted = text.to_ascii_uppercase();
        if wanted.parse::<SessionId>().is_ok() {
            return Ok(wanted);
        }
        if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            bail!("{text:?} is no part of a session's id; `lamplight sessions` lists them");
        }
        let mut found = Vec::new();
        for archived in [false, true] {
            let mut cursor = None::<String>;
            loop {
                let query = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                let path = format!("/sessions?limit={MAX_LIMIT}&archived={archived}{query}");
                let page: SessionList = self.get(&path).await?;
                let matching = page.items.into_iter().map(|session| session.id);
                found.extend(matching.filter(|id| id.starts_with(&wanted) || id.ends_with(&wanted)));
                cursor = page.next_cursor;
                if cursor.is_none() || found.len() > NAMED {
                    break;
                }
            }
        }
        match found.as_slice() {
            [] => bail!("no session's id begins or ends with {text}; `lamplight sessions` lists them"),
            [id] => Ok(id.clone()),
            [..] => {
                found.truncate(NAMED);
                bail!(
                    "several sessions' ids begin or end with {text}, such as {}; say more of it",
                    found.join(", ")
                )
            }
        }
    }
}

/// Whether the server cannot be reached now, and may be later.
pub(super) fn is_unreachable(error: &anyhow::Error) -> bool {
    !matches!(error.downcast_ref(), Some(ClientError::Refused(_) | ClientError::Strange { .. }))
}

/// Whether the server refused with this code.
pub(super) fn refused_with(error: &anyhow::Error, code: &str) -> bool {
    matches!(error.downcast_ref::<ClientError>(), Some(ClientError::Refused(problem)) if problem.code == code)
}
