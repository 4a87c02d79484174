//! The link to a guest, carried by the standard streams of a relay: `lamplight-guest --relay`, started in the sandbox for each link.
//!
//! ```text
//! host ── StreamInput ──▶ envd ──▶ relay ──▶ link.sock ──▶ guest
//!      ◀── Start's answer ──  ◀──        ◀──
//! ```
//! No port is open in the sandbox, and nobody who has not its token gets at the guest. What a cut loses is what the link's own
//! offsets and numbers bring back, as with any link. While a link is open, somebody works in the sandbox: its time is extended.

use super::cloud::Cloud;
use super::envd::{Door, Events, Program};
use super::error::too_late;
use crate::error::{ErrorKind, SandboxError};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use lamplight_e2b::connect;
use lamplight_e2b::process::{
    Base64, Data, Event, Input, Nothing, ProcessRequest, Selector, StreamInputRequest,
};
use lamplight_wire::RELAY_READY;
use reqwest::Body;
use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// From starting the relay to its word that there is a guest.
const ANSWER: Duration = Duration::from_secs(30);

/// Bytes that wait in either direction between the multiplexer and the cloud.
const WINDOW: usize = 256 * 1024;

/// The most in one message of input.
const PIECE: usize = 32 * 1024;

/// Proxies cut what says nothing for minutes.
const SIGN_OF_LIFE: Duration = Duration::from_secs(45);

/// Between two extensions of a sandbox's time, which has to be longer.
pub(super) const EXTEND: Duration = Duration::from_secs(60);

/// Of what a relay says on its standard error; bytes.
const REASON: usize = 300;

/// Sandboxes that the cloud does not let run longer, by their ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending(Arc<Mutex<HashSet<String>>>);

/// Both directions of a link. The tasks end with it.
pub(super) struct Carried {
    near: DuplexStream,
    _carrying: JoinSet<()>,
}

/// Whose link it is, and how its time is extended.
pub(super) struct Terms {
    pub(super) cloud: Arc<Cloud>,
    pub(super) id: String,
    pub(super) time: Duration,
    pub(super) ending: Ending,
}

/// Starts the relay, and waits until it has reached the guest.
pub(super) async fn carry(door: Door, relay: Program, terms: Terms) -> Result<Carried, SandboxError> {
    let user = relay.user.clone();
    let what = format!("dial sandbox {}", terms.id);
    let begun = async {
        let mut started = door.start(relay).await?;
        let first = ready(&mut started.events, &what).await?;
        Ok::<_, SandboxError>((started, first))
    };
    let (started, first) = timeout(ANSWER, begun).await.unwrap_or_else(|_| Err(too_late(&what)))?;
    let (near, far) = tokio::io::duplex(WINDOW);
    let (from_host, mut to_host) = tokio::io::split(far);
    let mut carrying = JoinSet::new();
    carrying.spawn(async move {
        let input = Body::wrap_stream(frames(started.pid, from_host));
        let ended = tokio::select! {
            ended = outwards(started.events, first, &mut to_host) => ended,
            ended = door.feed(&user, input) => ended,
            () = extend(&terms) => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(sandbox = %terms.id, %error, "the link to a sandbox was cut");
        }
        // Whoever reads hears of the end, even while the other half is still with the client of HTTP.
        let _ = to_host.shutdown().await;
    });
    Ok(Carried { near, _carrying: carrying })
}

/// What comes behind the relay's word.
async fn ready(events: &mut Events, what: &str) -> Result<Bytes, SandboxError> {
    let mut complaint = Vec::new();
    loop {
        match events.next().await? {
            Some(Event::Data(Data::Stdout(Base64(mut bytes)))) if !bytes.is_empty() => {
                let word = bytes.split_to(1);
                if word[..] != [RELAY_READY] {
                    let message = format!("{what}: what answers there is no relay of this release");
                    return Err(SandboxError::new(ErrorKind::Failed, message));
                }
                return Ok(bytes);
            }
            Some(Event::Data(Data::Stderr(Base64(bytes)))) => {
                let room = REASON.saturating_sub(complaint.len()).min(bytes.len());
                complaint.extend_from_slice(&bytes[..room]);
            }
            Some(Event::Data(_) | Event::Start { .. } | Event::Keepalive {}) => {}
            Some(Event::End(_)) | None => {
                let why = String::from_utf8_lossy(&complaint).trim().to_owned();
                return Err(SandboxError::new(
                    ErrorKind::Gone,
                    format!("{what}: its guest does not run: {why}"),
                ));
            }
        }
    }
}

/// What the guest says.
async fn outwards(
    mut events: Events,
    first: Bytes,
    to_host: &mut WriteHalf<DuplexStream>,
) -> Result<(), SandboxError> {
    let mut bytes = first;
    loop {
        if to_host.write_all(&bytes).await.is_err() {
            // Nobody reads any more.
            return Ok(());
        }
        bytes = match events.next().await? {
            Some(Event::Data(Data::Stdout(Base64(bytes)))) => bytes,
            Some(Event::Data(_) | Event::Start { .. } | Event::Keepalive {}) => Bytes::new(),
            Some(Event::End(_)) | None => return Ok(()),
        };
    }
}

/// What the host says, as messages of one call that lasts as long as the link.
fn frames(
    pid: u32,
    from_host: ReadHalf<DuplexStream>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let process = Selector { pid: Some(pid), tag: None };
    let start = ProcessRequest { process, ..ProcessRequest::default() };
    let start = StreamInputRequest { start: Some(start), ..StreamInputRequest::default() };
    let rest = stream::unfold(from_host, |mut from_host| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let message = match timeout(SIGN_OF_LIFE, from_host.read_buf(&mut piece)).await {
            Err(_) => StreamInputRequest { keepalive: Some(Nothing {}), ..StreamInputRequest::default() },
            Ok(Ok(0)) => return None,
            Ok(Ok(_)) => data(piece.freeze()),
            Ok(Err(error)) => return Some((Err(error), from_host)),
        };
        Some((Ok(connect::encode(&message)), from_host))
    });
    stream::iter([Ok(connect::encode(&start))]).chain(rest)
}

fn data(bytes: Bytes) -> StreamInputRequest {
    let input = Input { stdin: Some(Base64(bytes)), pty: None };
    let data = ProcessRequest { input: Some(input), ..ProcessRequest::default() };
    StreamInputRequest { data: Some(data), ..StreamInputRequest::default() }
}

/// As long as somebody works in it. Where the cloud lets it run no longer, it pauses it when its time is over, and who dials goes on.
async fn extend(terms: &Terms) {
    let mut ends_at = None;
    loop {
        match longer(terms, &mut ends_at).await {
            Ok(true) => terms.ending.forget(&terms.id),
            Ok(false) => {
                if terms.ending.learn(&terms.id) {
                    tracing::warn!(sandbox = %terms.id, "the cloud lets a sandbox run no longer");
                }
            }
            Err(error) => {
                tracing::debug!(sandbox = %terms.id, %error, "a sandbox's time was not extended; it is asked for again");
            }
        }
        sleep(EXTEND).await;
    }
}

/// Whether it runs longer than before. A cloud refuses to let one run over its limit, or says yes and leaves the end where it was.
async fn longer(terms: &Terms, ends_at: &mut Option<String>) -> Result<bool, SandboxError> {
    match terms.cloud.run_for(&terms.id, terms.time).await {
        Err(error) if error.kind == ErrorKind::Invalid => return Ok(false),
        done => done?,
    }
    let now = terms.cloud.see(&terms.id).await?.end_at;
    let is_as_it_was = now.is_some() && now == *ends_at;
    *ends_at = now;
    Ok(!is_as_it_was)
}

impl Ending {
    /// Whether that is news.
    fn learn(&self, id: &str) -> bool {
        self.all().insert(id.to_owned())
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.all().contains(id)
    }

    /// One that runs on, or that there is no more.
    pub(super) fn forget(&self, id: &str) {
        self.all().remove(id);
    }

    fn all(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_e2b::connect::Message;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn what_the_host_says_is_in_messages_that_begin_with_whose_it_is() {
        runtime().block_on(async {
            let (mut near, far) = tokio::io::duplex(WINDOW);
            let (from_host, _to_host) = tokio::io::split(far);
            let sent = vec![7_u8; PIECE + 1];
            near.write_all(&sent).await.unwrap();
            drop(near);
            let mut buffer = BytesMut::new();
            let mut all = std::pin::pin!(frames(9, from_host));
            while let Some(frame) = all.next().await {
                buffer.extend_from_slice(&frame.unwrap());
            }
            let mut messages = Vec::new();
            while let Some(message) = Message::decode(&mut buffer).unwrap() {
                assert!(message.text.len() < 2 * PIECE);
                messages.push(connect::parse::<StreamInputRequest>(&message.text).unwrap());
            }
            let start = messages.remove(0).start.unwrap();
            assert_eq!(start.process, Selector { pid: Some(9), tag: None });
            let said =
                messages.into_iter().map(|message| message.data.unwrap().input.unwrap().stdin.unwrap().0);
            assert_eq!(said.collect::<Vec<_>>().concat(), sent);
        });
    }

    #[test]
    fn that_a_time_ends_is_news_once() {
        let ending = Ending::default();
        assert!(ending.learn("a") && !ending.learn("a") && ending.has("a"));
        ending.forget("a");
        assert!(!ending.has("a"));
    }
}
