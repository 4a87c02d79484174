//! How each program is followed and appended to.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head of an answer to a request to follow.
const HEAD_BYTES: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Prompts that wait for the end of a turn, over WebSocket.
    Lamplight,
    /// Rows of a Durable Object, over WebSocket; and lines of a file, by [`crate::floor`].
    Workerd,
    /// Messages without an answer, as server-sent events.
    OpenCode,
    /// Prompts that an agent repeats, as server-sent events.
    SandboxAgent,
}

/// One session of one server.
#[derive(Debug)]
pub(crate) struct Peer {
    kind: Kind,
    url: String,
    session: String,
    client: reqwest::Client,
}

impl Peer {
    pub(crate) fn new(name: &str, url: &str, session: &str) -> Result<Self> {
        let kind = match name {
            "lamplight" => Kind::Lamplight,
            "workerd" | "floor" => Kind::Workerd,
            "opencode" => Kind::OpenCode,
            "sandbox-agent" => Kind::SandboxAgent,
            other => bail!("there is no peer {other}"),
        };
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { kind, url: url.to_owned(), session: session.to_owned(), client })
    }

    /// Appends that wait nowhere, so that there may be only so many; [`Peer::forget`] makes room again.
    pub(crate) fn at_most(&self) -> usize {
        match self.kind {
            Kind::Lamplight => 90,
            Kind::Workerd | Kind::OpenCode | Kind::SandboxAgent => usize::MAX,
        }
    }

    /// Begins to follow, from now on: the connection, and what has been read of the events. They are looked for in the bytes as
    /// they come, frames of WebSocket (never masked by a server) and server-sent events alike, as the load shares the
    /// processors with the server and should take as little of them as it can.
    pub(crate) async fn follow(&self) -> Result<(TcpStream, Vec<u8>)> {
        let session = &self.session;
        match self.kind {
            Kind::Lamplight => {
                let last = self.last_seq().await?;
                self.follow_from(last).await
            }
            Kind::Workerd => self.open("/events", WEBSOCKET, "101").await,
            Kind::OpenCode => self.open("/event", SERVER_SENT, "200").await,
            Kind::SandboxAgent => self.open(&format!("/v1/acp/{session}"), SERVER_SENT, "200").await,
        }
    }

    /// Begins to follow Lamplight's events behind this one.
    pub(crate) async fn follow_from(&self, seq: u64) -> Result<(TcpStream, Vec<u8>)> {
        let path = format!("/api/v1/sessions/{}/events?resume={seq}", self.session);
        self.open(&path, WEBSOCKET, "101").await
    }

    /// Where Lamplight's log ends.
    pub(crate) async fn last_seq(&self) -> Result<u64> {
        let view = self.get(&format!("/api/v1/sessions/{}", self.session)).await?;
        view["last_seq"].as_u64().context("a session has a last_seq")
    }

    /// Appends one event that holds this text.
    pub(crate) async fn append(&self, text: &str) -> Result<()> {
        let session = &self.session;
        let (path, body) = match self.kind {
            Kind::Lamplight => (format!("/api/v1/sessions/{session}/prompts"), json!({ "text": text })),
            Kind::Workerd => ("/append".to_owned(), json!({ "text": text })),
            Kind::OpenCode => (
                format!("/session/{session}/message"),
                json!({ "noReply": true, "parts": [{ "type": "text", "text": text }] }),
            ),
            Kind::SandboxAgent => (format!("/v1/acp/{session}"), prompt(text)),
        };
        let url = format!("{}{path}", self.url);
        let answer = self.client.post(url).json(&body).send().await?.error_for_status()?;
        answer.bytes().await?;
        Ok(())
    }

    /// Takes back what still waits.
    pub(crate) async fn forget(&self) -> Result<()> {
        if self.kind != Kind::Lamplight {
            return Ok(());
        }
        let path = format!("/api/v1/sessions/{}", self.session);
        let view = self.get(&path).await?;
        for prompt in view["queued"].as_array().into_iter().flatten() {
            let prompt = prompt["prompt"].as_str().context("a prompt has an id")?;
            let url = format!("{}{path}/prompts/{prompt}", self.url);
            self.client.delete(url).send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// The path of the prompt that waits, the only one.
    pub(crate) async fn waiting(&self) -> Result<String> {
        let path = format!("/api/v1/sessions/{}", self.session);
        let view = self.get(&path).await?;
        let prompt = view["queued"][0]["prompt"].as_str().context("a prompt waits")?;
        Ok(format!("{path}/prompts/{prompt}"))
    }

    pub(crate) fn host(&self) -> Result<&str> {
        self.url.strip_prefix("http://").context("no address")
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    async fn open(&self, path: &str, headers: &str, status: &str) -> Result<(TcpStream, Vec<u8>)> {
        let host = self.host()?;
        let mut stream = TcpStream::connect(host).await?;
        // A reader that says nothing acknowledges each small segment by a packet of its own, which on one machine is work of the
        // processors that are measured. So these are put off, as for a reader that does say something.
        stream.set_quickack(false)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(HEAD_BYTES);
        loop {
            ensure!(stream.read_buf(&mut answer).await? > 0, "{path} was not answered");
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                let events = answer.split_off(end + 4);
                let head = String::from_utf8_lossy(&answer);
                ensure!(head.split(' ').nth(1) == Some(status), "{path} was answered {head}");
                return Ok((stream, events));
            }
            ensure!(answer.len() < HEAD_BYTES, "the answer of {path} does not begin");
        }
    }
}

const SERVER_SENT: &str = "accept: text/event-stream\r\n";
/// The key is the one of RFC 6455, section 1.3; nobody here looks at what is made of it.
const WEBSOCKET: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn prompt(text: &str) -> Value {
    let params = json!({ "sessionId": "one", "prompt": [{ "type": "text", "text": text }] });
    json!({ "jsonrpc": "2.0", "id": text, "method": "session/prompt", "params": params })
}
