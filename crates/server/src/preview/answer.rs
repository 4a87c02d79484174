//! An answer on its way out of a sandbox, and giving up on it.
//!
//! Who gives up drops the connection and does not shut it down before: of one that was shut down, the other end of the link learns nothing more,
//! and a program that goes on answering would wait for ever for somebody who reads.

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use lamplight_engine::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection to a program, as its client has it.
pub(super) struct Connection {
    stream: Stream,
    given_up: Arc<AtomicBool>,
}

/// Somebody waits for all of the answer; dropping it gives up.
pub(super) struct Waiting(Option<Arc<AtomicBool>>);

/// What the program answers. The fields are dropped in this order.
pub(super) struct Answer {
    waiting: Waiting,
    body: Incoming,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> (Self, Waiting) {
        let given_up = Arc::new(AtomicBool::new(false));
        (Self { stream, given_up: given_up.clone() }, Waiting(Some(given_up)))
    }
}

impl Waiting {
    pub(super) fn for_all_of(mut self, body: Incoming) -> Answer {
        // One without a body, which nobody asks for its end.
        if body.is_end_stream() {
            self.is_over();
        }
        Answer { waiting: self, body }
    }

    /// It has come, or something else than an answer has.
    pub(super) fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(given_up) = &self.0 {
            given_up.store(true, Ordering::Release);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.waiting.is_over();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.given_up.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
