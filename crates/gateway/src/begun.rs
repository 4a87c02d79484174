//! A connection whose first words were read already, and are read again.

use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub(crate) struct Begun {
    words: BytesMut,
    stream: TcpStream,
}

impl Begun {
    /// Reads until the words are `enough`, or there are no more of them.
    pub(crate) async fn read(mut stream: TcpStream, enough: fn(&[u8]) -> bool) -> io::Result<Self> {
        let mut words = BytesMut::new();
        while !enough(&words) && stream.read_buf(&mut words).await? > 0 {}
        Ok(Self { words, stream })
    }

    pub(crate) fn words(&self) -> &[u8] {
        &self.words
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.words.is_empty() {
            return self.inner().poll_read(context, buffer);
        }
        let length = self.words.len().min(buffer.remaining());
        buffer.put_slice(&self.words[..length]);
        self.words.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}
