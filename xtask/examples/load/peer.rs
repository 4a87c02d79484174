//! How each program is followed and appended to.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// What a reader reads: pieces of text, wherever they were cut.
pub(crate) type Events = BoxStream<'static, Result<Bytes>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Prompts that wait for the end of a turn, over WebSocket.
    Lamplight,
    /// Rows of a Durable Object, over WebSocket.
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
            "workerd" => Kind::Workerd,
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

    /// Begins to follow, from now on.
    pub(crate) async fn follow(&self) -> Result<Events> {
        let session = &self.session;
        match self.kind {
            Kind::Lamplight => {
                let view: Value = self.get(&format!("/api/v1/sessions/{session}")).await?;
                let resume = view["last_seq"].as_u64().context("a session has a last_seq")?;
                self.websocket(&format!("/api/v1/sessions/{session}/events?resume={resume}")).await
            }
            Kind::Workerd => self.websocket("/events").await,
            Kind::OpenCode => self.server_sent("/event").await,
            Kind::SandboxAgent => self.server_sent(&format!("/v1/acp/{session}")).await,
        }
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

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    async fn websocket(&self, path: &str) -> Result<Events> {
        let url = format!("{}{path}", self.url.replacen("http", "ws", 1));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.context("open a WebSocket")?;
        let texts = socket.map_err(anyhow::Error::from).try_filter_map(|message| async move {
            Ok(match message {
                Message::Text(text) => Some(Bytes::from(text)),
                _ => None,
            })
        });
        Ok(texts.boxed())
    }

    async fn server_sent(&self, path: &str) -> Result<Events> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?.error_for_status()?;
        Ok(answer.bytes_stream().map_err(anyhow::Error::from).boxed())
    }
}

fn prompt(text: &str) -> Value {
    let params = json!({ "sessionId": "one", "prompt": [{ "type": "text", "text": text }] });
    json!({ "jsonrpc": "2.0", "id": text, "method": "session/prompt", "params": params })
}
