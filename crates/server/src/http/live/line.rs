//! One reader's connection, which two write to: its own task, and the one that tells all readers of a session at once.
//! What either says is taken whole or not at all, so that the frames of the two never mix.

use super::acknowledgements::Acknowledgements;
use super::batch::Batch;
use super::{Over, Timings};
use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use lamplight_domain::Seq;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Bytes that may wait for the connection before it takes no more. One saying may be longer.
const WAITING: usize = 64 * 1024;

/// The connection, what waits for it, and what its reader has.
pub(super) struct Line(Mutex<State>);

struct State {
    io: TokioIo<Upgraded>,
    /// Taken and not written yet. Readers who wait for the same share its bytes.
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// Since when the connection has taken nothing although something waits.
    stuck_since: Option<Instant>,
    account: Acknowledgements,
    /// Whether it is told by the audience what comes; otherwise its own task looks for it.
    seated: bool,
    /// The reader's task has something to look at.
    news: bool,
    task: Option<Waker>,
}

impl Line {
    pub(super) fn new(io: TokioIo<Upgraded>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            io,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            stuck_since: None,
            account: Acknowledgements::new(Seq(0)),
            seated: false,
            news: false,
            task: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader has everything up to `after`, and is told nothing until it is seated.
    pub(super) fn begin(&self, after: Seq) {
        let mut state = self.lock();
        state.seated = false;
        state.account = Acknowledgements::new(after);
    }

    /// The last entry that was said to the reader.
    pub(super) fn sent(&self) -> Seq {
        self.lock().account.sent()
    }

    pub(super) fn send(&self, seq: Seq) {
        self.lock().account.send(seq, Instant::now());
    }

    pub(super) fn acknowledge(&self, seq: Seq) {
        self.lock().account.acknowledge(seq, Instant::now());
    }

    pub(super) fn seat(&self) {
        self.lock().seated = true;
    }

    pub(super) fn is_seated(&self) -> bool {
        self.lock().seated
    }

    /// From now on its own task looks for what comes.
    pub(super) fn let_go(&self) {
        let mut state = self.lock();
        state.seated = false;
        state.tell_task();
    }

    /// Says entries to a seated reader, without a wait. False: it is none any more, or has fallen too far behind to be one.
    pub(super) fn tell(&self, batch: &Batch, now: Instant) -> bool {
        let mut state = self.lock();
        if !state.seated {
            return false;
        }
        let Some(frames) = batch.after(state.account.sent()) else { return state.fall_behind() };
        if frames.is_empty() {
            return true;
        }
        if !state.waiting.is_empty() && state.waiting_bytes + frames.len() > WAITING {
            return state.fall_behind();
        }
        let was_over = state.account.is_over();
        state.say(frames, now);
        state.account.send(batch.last(), now);
        if state.account.is_over() != was_over {
            state.tell_task();
        }
        true
    }

    /// Writes what waits; resolves when the reader's task should look anew: nothing waits any more, the reader has been let go of,
    /// or a time after which it is [too slow](Self::too_slow_at) has begun. Dropping the wait loses nothing.
    pub(super) async fn news(&self) -> Result<(), Over> {
        poll_fn(|context| self.lock().poll_news(context)).await.map_err(|_| Over::Gone)
    }

    /// When this reader is sent away, unless it takes or acknowledges something before.
    pub(super) fn too_slow_at(&self, timings: &Timings) -> Option<Instant> {
        let state = self.lock();
        let stuck = state.stuck_since.map(|since| since + timings.drain);
        let silent = state.account.given_up_at(timings.acknowledge);
        stuck.into_iter().chain(silent).min()
    }
}

impl State {
    fn tell_task(&mut self) {
        self.news = true;
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn fall_behind(&mut self) -> bool {
        self.seated = false;
        self.tell_task();
        false
    }

    /// Writes what the connection takes at once; the rest, and any fault, is its task's.
    fn say(&mut self, frames: Bytes, now: Instant) {
        let is_first = self.waiting.is_empty();
        self.wait_for(frames);
        if is_first
            && !matches!(self.poll_drain(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
        {
            self.stuck_since.get_or_insert(now);
            self.tell_task();
        }
    }

    fn wait_for(&mut self, frames: Bytes) {
        self.waiting_bytes += frames.len();
        self.waiting.push_back(frames);
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(frames) = self.waiting.front_mut() {
            let written = match Pin::new(&mut self.io).poll_write(context, frames) {
                Poll::Ready(written) => written?,
                Poll::Pending => {
                    self.stuck_since.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            frames.advance(written);
            self.waiting_bytes -= written;
            if frames.is_empty() {
                self.waiting.pop_front();
            }
            self.stuck_since = None;
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_news(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.is_empty() {
            match self.poll_drain(context) {
                Poll::Ready(drained) => return Poll::Ready(drained),
                Poll::Pending => {}
            }
        }
        if std::mem::take(&mut self.news) {
            return Poll::Ready(Ok(()));
        }
        if !self.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// The connection as the reader's task has it.
pub(super) struct OwnEnd(pub(super) Arc<Line>);

impl AsyncRead for OwnEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().io).poll_read(context, buffer)
    }
}

impl AsyncWrite for OwnEnd {
    /// Takes all of it, or waits.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.waiting_bytes >= WAITING {
            ready!(state.poll_drain(context))?;
        }
        state.wait_for(Bytes::copy_from_slice(bytes));
        match state.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_drain(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        ready!(state.poll_drain(context))?;
        Pin::new(&mut state.io).poll_shutdown(context)
    }
}
