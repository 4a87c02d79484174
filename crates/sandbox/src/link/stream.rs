//! One stream of the link as the rest of the program knows byte streams.

use super::LinkError;
use bytes::BytesMut;
use futures::io::{AsyncRead as _, AsyncWrite as _};
use lamplight_wire::message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

/// Raw bytes to and from inside. Each direction can end on its own; dropping it resets what has not ended. A reset by the other
/// end, or a cut link, reads as an error and not as an end, as long as this end was not shut down.
pub struct Stream {
    inner: yamux::Stream,
    shut_down: bool,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    pub(super) fn new(inner: yamux::Stream, place: OwnedSemaphorePermit) -> Self {
        Self { inner, shut_down: false, _place: place }
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
pub(super) async fn send<T: Serialize>(stream: &mut Stream, what: &T) -> Result<(), LinkError> {
    let bytes = message::encode(what).map_err(LinkError::sending)?;
    Ok(stream.write_all(&bytes).await?)
}

/// Receives one JSON message and not a byte of what comes after it.
pub(super) async fn receive<T: DeserializeOwned>(stream: &mut Stream) -> Result<T, LinkError> {
    let mut length = [0; message::LENGTH_BYTES];
    stream.read_exact(&mut length).await?;
    let mut text = vec![0; message::decode_length(length).map_err(LinkError::received)?];
    stream.read_exact(&mut text).await?;
    message::decode(&text).map_err(LinkError::received)
}

/// Reads until `decode` finds something whole at the front of `buffer`. Nothing is lost when this is dropped half-way.
pub(super) async fn next_frame<T>(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    mut decode: impl FnMut(&mut BytesMut) -> Result<Option<T>, LinkError>,
) -> Result<T, LinkError> {
    loop {
        if let Some(frame) = decode(buffer)? {
            return Ok(frame);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}
