//! What one answer costs, from the moment in which the vendor is asked. Somebody pays for what was seen, whoever leaves first.
//!
//! ```text
//! opened ─► answered ─► read, piece by piece ─► settled: what the answer says that it used
//!    │          └─ the client or the vendor leaves ─► settled: what it said until then, the rest by what was seen
//!    ├─ the client leaves ─► settled: what was asked
//!    └─ the vendor is not reached, or refuses ─► nothing
//! ```

use super::admission::Admission;
use super::unasked::Unasked;
use super::usage::Meter;
use crate::serve::Link;
use axum::body::HttpBody;
use bytes::Bytes;
use futures::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(super) struct Account {
    link: Link,
    admission: Admission,
    meter: Option<Meter>,
    asked: Instant,
    is_open: bool,
}

impl Account {
    pub(super) fn open(link: Link, admission: Admission) -> Self {
        Self { link, admission, meter: None, asked: Instant::now(), is_open: true }
    }

    pub(super) fn answered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    pub(super) fn nothing_was_used(mut self) {
        self.is_open = false;
    }

    fn read(&mut self, piece: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.read(piece);
        }
    }

    /// Settled by a task of the door's: it happens whether or not anyone still waits for it. What was set aside is given back after
    /// that.
    fn start_settling(&mut self) -> Option<JoinHandle<()>> {
        if !std::mem::take(&mut self.is_open) {
            return None;
        }
        let seen = self.meter.take().map(Meter::finish).unwrap_or_default();
        let used = self.admission.used(seen, self.asked.elapsed());
        let (ledger, held) = (self.link.ledger.clone(), self.admission.reservation.take());
        Some(self.link.door.tasks.spawn(async move {
            ledger.used(used).await;
            drop(held);
        }))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.start_settling();
    }
}

/// The answer's body, piece by piece as it comes. It ends when the ledger knows what it cost.
///
/// A piece is passed on before it is read for what it used: whoever waits for it does not wait for that.
pub(super) struct Metered {
    body: reqwest::Body,
    account: Option<Account>,
    unasked: Option<Unasked>,
    flow: Flow,
}

/// How far an answer has come.
enum Flow {
    Passing,
    /// The last piece is passed on, and not read.
    Unread(Bytes, Turn),
    /// The ledger is being told what it cost.
    Settling(Option<JoinHandle<()>>, Last),
    /// The client has all that was said, and is to be told that this was not all.
    Broken(Turn),
    Ended,
}

/// What has been given is sent when its taker finds nothing more to take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is still being taken.
    Ours,
    /// It is being sent.
    Theirs,
}

#[derive(Clone, Copy)]
enum Last {
    Whole,
    Broken,
}

impl Metered {
    pub(super) fn new(answer: reqwest::Response, account: Account, unasked: Option<Unasked>) -> Self {
        let body = axum::http::Response::from(answer).into_body();
        Self { body, account: Some(account), unasked, flow: Flow::Passing }
    }

    fn read(&mut self) {
        if let Flow::Unread(piece, _) = std::mem::replace(&mut self.flow, Flow::Passing)
            && let Some(account) = &mut self.account
        {
            account.read(&piece);
        }
    }

    /// The next piece of the vendor's, as it may pass; empty where all of it is held back. `None` at the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return self.nothing_yet(context),
        };
        self.read();
        let last = match frame {
            Some(Ok(frame)) => {
                let piece = frame.into_data().unwrap_or_default();
                self.flow = Flow::Unread(piece.clone(), Turn::Ours);
                return Poll::Ready(Some(match &mut self.unasked {
                    Some(unasked) => unasked.take_out(piece),
                    None => piece,
                }));
            }
            Some(Err(error)) => {
                let error = error.without_url();
                tracing::debug!(error = %error, "a model's answer broke off");
                Last::Broken
            }
            None => Last::Whole,
        };
        let settling = self.account.take().and_then(|mut account| account.start_settling());
        self.flow = Flow::Settling(settling, last);
        Poll::Ready(None)
    }

    /// The time in which what has passed is read: once it has been sent.
    fn nothing_yet(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match &mut self.flow {
            Flow::Unread(_, turn @ Turn::Ours) => {
                *turn = Turn::Theirs;
                context.waker().wake_by_ref();
            }
            _ => self.read(),
        }
        Poll::Pending
    }
}

impl Stream for Metered {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match &mut this.flow {
                Flow::Passing | Flow::Unread(..) => match ready!(this.poll_piece(context)) {
                    Some(piece) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                    Some(_) | None => {}
                },
                Flow::Settling(settling, last) => {
                    if let Some(settling) = settling {
                        let _settled_or_shut_down = ready!(Pin::new(settling).poll(context));
                    }
                    this.flow = match last {
                        Last::Whole => Flow::Ended,
                        Last::Broken => Flow::Broken(Turn::Ours),
                    };
                    let rest = this.unasked.as_mut().map(Unasked::rest).unwrap_or_default();
                    if !rest.is_empty() {
                        return Poll::Ready(Some(Ok(rest)));
                    }
                }
                // With the error, what was given before would be dropped.
                Flow::Broken(turn @ Turn::Ours) => {
                    *turn = Turn::Theirs;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Flow::Broken(Turn::Theirs) => {
                    this.flow = Flow::Ended;
                    let broken = io::Error::other("the model provider's answer broke off");
                    return Poll::Ready(Some(Err(broken)));
                }
                Flow::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// A client that leaves has been given the last piece all the same.
impl Drop for Metered {
    fn drop(&mut self) {
        self.read();
    }
}
