//! How each program is followed and appended to.

use crate::answer;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head of an answer to a request to follow.
const HEAD_BYTES: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Changes of a prompt that waits for the end of a turn, over WebSocket.
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
    /// Of Lamplight's prompt that is changed.
    prompt: String,
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
        Ok(Self { kind, url: url.to_owned(), session: session.to_owned(), client, prompt: String::new() })
    }

    /// Begins to follow, from now on: the connection, and what has been read of the events. They are looked for in the bytes as
    /// they come, frames of WebSocket (never masked by a server) and server-sent events alike, as the load shares the
    /// processors with the server and should take as little of them as it can.
    pub(crate) async fn follow(&self) -> Result<(TcpStream, Vec<u8>)> {
        let session = &self.session;
        match self.kind {
            Kind::Lamplight => {
                let last = self.last_seq().await?.unwrap_or_default();
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

    /// Where Lamplight's log ends; `None` of others, of which that is not known.
    pub(crate) async fn last_seq(&self) -> Result<Option<u64>> {
        if self.kind != Kind::Lamplight {
            return Ok(None);
        }
        let view = self.get(&format!("/api/v1/sessions/{}", self.session)).await?;
        Ok(Some(view["last_seq"].as_u64().context("a session has a last_seq")?))
    }

    /// Makes what the requests are about.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        if self.kind != Kind::Lamplight {
            return Ok(());
        }
        let path = format!("/api/v1/sessions/{}", self.session);
        let waits =
            self.client.post(format!("{}{path}/prompts", self.url)).json(&json!({ "text": "to be changed" }));
        waits.send().await?.error_for_status()?;
        let view = self.get(&path).await?;
        let prompt = view["queued"][0]["prompt"].as_str().context("a prompt waits")?;
        self.prompt = format!("{path}/prompts/{prompt}");
        Ok(())
    }

    /// The request that appends one event that holds this text.
    pub(crate) fn request(&self, text: &str) -> Result<Vec<u8>> {
        let session = &self.session;
        let (method, path, body) = match self.kind {
            Kind::Lamplight => ("PUT", self.prompt.clone(), json!({ "text": text })),
            Kind::Workerd => ("POST", "/append".to_owned(), json!({ "text": text })),
            Kind::OpenCode => (
                "POST",
                format!("/session/{session}/message"),
                json!({ "noReply": true, "parts": [{ "type": "text", "text": text }] }),
            ),
            Kind::SandboxAgent => ("POST", format!("/v1/acp/{session}"), prompt(text)),
        };
        let (host, body) = (self.host()?, body.to_string());
        Ok(format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes())
    }

    /// Appends one event that holds this text.
    pub(crate) async fn append(&self, text: &str) -> Result<()> {
        let mut stream = TcpStream::connect(self.host()?).await?;
        stream.write_all(&self.request(text)?).await?;
        let mut read = Vec::new();
        while answer::length(&read)?.is_none() {
            ensure!(stream.read_buf(&mut read).await? > 0, "the connection ended");
        }
        Ok(())
    }

    /// Takes back what waits.
    pub(crate) async fn forget(&self) -> Result<()> {
        if self.kind == Kind::Lamplight {
            self.client.delete(format!("{}{}", self.url, self.prompt)).send().await?.error_for_status()?;
        }
        Ok(())
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
