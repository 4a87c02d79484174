//! One stream of the link as byte streams usually are, and the JSON messages at its start.

use futures::io::{AsyncRead as _, AsyncWrite as _};
use lamplight_wire::message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A stream; dropping it resets what has not ended, after what was written. A reset by the host, or a cut link, reads as an error
/// and not as an end, as long as this end was not shut down.
pub(crate) struct Stream {
    inner: yamux::Stream,
    shut_down: bool,
}

impl Stream {
    pub(crate) fn new(inner: yamux::Stream) -> Self {
        Self { inner, shut_down: false }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer.initialize_unfilled()))?;
        if read == 0 && self.inner.is_closed() && !self.shut_down {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down = true;
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// Sends one JSON message.
pub(crate) async fn send<T: Serialize>(stream: &mut Stream, what: &T) -> io::Result<()> {
    stream.write_all(&message::encode(what).map_err(io::Error::other)?).await
}

/// Receives the text of one JSON message and not a byte of what comes after it.
pub(crate) async fn receive_text(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut length = [0; message::LENGTH_BYTES];
    stream.read_exact(&mut length).await?;
    let mut text = vec![0; message::decode_length(length).map_err(io::Error::other)?];
    stream.read_exact(&mut text).await?;
    Ok(text)
}

/// What a message says.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> io::Result<T> {
    message::decode(text).map_err(io::Error::other)
}
