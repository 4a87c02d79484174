//! One stream of the link, as the rest knows byte streams, with the JSON messages at its start.

use futures::io::{AsyncRead as _, AsyncWrite as _};
use lamplight_wire::message;
use serde_json::Value;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A cut reads as an error, and not as an end.
pub(super) struct Stream(yamux::Stream);

impl Stream {
    pub(super) fn new(inner: yamux::Stream) -> Self {
        Self(inner)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, buffer.initialize_unfilled()))?;
        if read == 0 && buffer.remaining() > 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

pub(super) async fn send(stream: &mut Stream, what: &lamplight_wire::Reply) -> io::Result<()> {
    stream.write_all(&message::encode(what).map_err(io::Error::other)?).await
}

/// One message, and not a byte of what comes after it.
pub(super) async fn receive(stream: &mut Stream) -> io::Result<Value> {
    let mut length = [0; message::LENGTH_BYTES];
    stream.read_exact(&mut length).await?;
    let mut text = vec![0; message::decode_length(length).map_err(io::Error::other)?];
    stream.read_exact(&mut text).await?;
    message::decode(&text).map_err(io::Error::other)
}
