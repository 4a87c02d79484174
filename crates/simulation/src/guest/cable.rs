//! The host's end of the way to a guest: it can be cut anywhere, between two bytes.

use crate::fault::Fault;
use crate::universe::Universe;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Bytes that are read at a time.
const PIECE: usize = 4096;

pub(super) struct Cable {
    inner: DuplexStream,
    /// Cancelled where it is cut; the guest's end ends with it.
    cut: CancellationToken,
    /// Bytes, both ways, until it is cut.
    left: Option<u64>,
    universe: Arc<Universe>,
}

impl Cable {
    pub(super) fn new(
        inner: DuplexStream,
        cut: CancellationToken,
        left: Option<u64>,
        universe: Arc<Universe>,
    ) -> Self {
        Self { inner, cut, left, universe }
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.is_cancelled() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    fn passed(&mut self, bytes: usize) {
        let Some(left) = &mut self.left else { return };
        *left = left.saturating_sub(bytes as u64);
        if *left == 0 && !self.cut.is_cancelled() {
            self.universe.struck(Fault::Cut);
            self.universe.hinder();
            self.cut.cancel();
        }
    }

    /// How much may still go through.
    fn room(&self, bytes: usize) -> usize {
        self.left.map_or(bytes, |left| bytes.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }
}

impl AsyncRead for Cable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let mut piece = [0; PIECE];
        let room = self.room(buffer.remaining().min(PIECE));
        let mut read = ReadBuf::new(&mut piece[..room]);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
        buffer.put_slice(read.filled());
        self.passed(read.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Cable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let room = self.room(bytes.len());
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..room]))?;
        self.passed(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
