//! A session's log, entry by entry, over connections that come and go.

use super::client::{Client, Socket, is_unreachable};
use anyhow::{Context, bail};
use futures::{SinkExt, Stream, StreamExt};
use lamplight_domain::Entry;
use serde::Deserialize;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Entries after which what was read is acknowledged.
const ACKNOWLEDGE_EVERY: u64 = 100;
/// Silence that is too long, as the server sends a heartbeat every 30 s.
const SILENCE: Duration = Duration::from_secs(75);
/// Waits before connecting again; after the last of them the server counts as gone.
const RECONNECT_MS: [u64; 12] = [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000];

/// A reader with a place in the log.
pub(super) struct Watch {
    client: Client,
    session: String,
    place: u64,
    acknowledged: u64,
    socket: Option<Socket>,
    /// Connections in a row that brought nothing.
    failures: usize,
}

/// What a watcher is told.
#[derive(Debug)]
pub(super) enum Seen {
    /// An entry, and the text it came as. `None`: of a kind that this version does not know.
    Entry { text: String, entry: Option<Box<Entry>> },
    /// Everything there was has been seen.
    Live,
}

#[derive(Debug, Deserialize)]
struct Frame {
    seq: Option<u64>,
    control: Option<String>,
}

impl Watch {
    pub(super) fn new(client: &Client, session: &str, after: u64) -> Self {
        Self {
            client: client.clone(),
            session: session.to_owned(),
            place: after,
            acknowledged: after,
            socket: None,
            failures: 0,
        }
    }

    /// What is seen, one after the other. Dropping a wait for the next loses nothing. An error, when the server is gone
    /// for good or refuses, is the last.
    pub(super) fn into_stream(self) -> impl Stream<Item = anyhow::Result<Seen>> {
        futures::stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(seen) => Some((Ok(seen), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> anyhow::Result<Seen> {
        loop {
            if self.socket.is_none() {
                self.connect().await?;
            }
            match self.receive().await {
                Some(text) => {
                    if let Some(seen) = self.understand(text).await? {
                        self.failures = 0;
                        return Ok(seen);
                    }
                }
                None => self.socket = None,
            }
        }
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        loop {
            let Some(wait_ms) = RECONNECT_MS.get(self.failures) else {
                bail!(
                    "the server is gone; `lamplight logs -f {}` takes up again when it is back",
                    self.session
                );
            };
            tokio::time::sleep(Duration::from_millis(*wait_ms)).await;
            self.failures += 1;
            match self.client.events(&self.session, self.place).await {
                Ok(socket) => {
                    self.socket = Some(socket);
                    self.acknowledged = self.place;
                    return Ok(());
                }
                Err(error) if is_unreachable(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next text frame; `None` when this connection is over.
    async fn receive(&mut self) -> Option<String> {
        let socket = self.socket.as_mut()?;
        loop {
            match tokio::time::timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => return Some(text.to_string()),
                Ok(Some(Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                ))) => {}
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return None,
            }
        }
    }

    async fn understand(&mut self, text: String) -> anyhow::Result<Option<Seen>> {
        let frame: Frame = serde_json::from_str(&text).context("understand the server's event stream")?;
        if let Some(seq) = frame.seq {
            if seq <= self.place {
                return Ok(None);
            }
            if seq != self.place + 1 {
                // A gap cannot be filled here; another connection resumes before it.
                self.socket = None;
                return Ok(None);
            }
            self.place = seq;
            if seq - self.acknowledged >= ACKNOWLEDGE_EVERY {
                self.acknowledge().await;
            }
            let entry = serde_json::from_str(&text).ok();
            return Ok(Some(Seen::Entry { text, entry }));
        }
        match frame.control.as_deref() {
            Some("live") => {
                self.acknowledge().await;
                Ok(Some(Seen::Live))
            }
            Some("heartbeat") => {
                self.acknowledge().await;
                Ok(None)
            }
            // `resume` comes just before the server closes; what it closes is found closed.
            Some(_) | None => Ok(None),
        }
    }

    async fn acknowledge(&mut self) {
        let Some(socket) = self.socket.as_mut() else { return };
        if socket.send(Message::text(format!("{{\"ack\":{}}}", self.place))).await.is_ok() {
            self.acknowledged = self.place;
        } else {
            self.socket = None;
        }
    }
}
