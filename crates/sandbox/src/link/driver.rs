//! The one task that owns the multiplexer: reads and writes the socket, makes streams on request, and hands over those that the
//! guest opens. It never waits for anybody: a caller that does not read its stream fills that stream's window and nothing else.

use super::stream::receive;
use super::{GatewayStream, Stream};
use futures::stream::{FuturesUnordered, StreamExt};
use lamplight_wire::GuestOpen;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Gateway streams of one sandbox that are open at a time; further ones are refused.
const MAX_GATEWAY_STREAMS: usize = 128;

/// From the opening of a stream by the guest to the end of the message that says what it is for.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// Above what both ends open by their own bounds, streams that are reset but not yet swept included.
const MAX_STREAMS: usize = 512;

/// What streams may grow their windows by, all together, beyond the 256 KiB that each has.
const EXTRA_WINDOW: usize = 16 * 1024 * 1024;

/// The multiplexer's settings of this end.
fn config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    let window = MAX_STREAMS * yamux::DEFAULT_CREDIT as usize + EXTRA_WINDOW;
    config.set_max_connection_receive_window(Some(window));
    config
}

/// Runs until the socket is cut or the guest breaks the multiplexer's protocol.
pub(super) async fn drive(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin,
    mut requests: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
    gateway: mpsc::Sender<GatewayStream>,
) {
    let mut connection = yamux::Connection::new(socket.compat(), config(), yamux::Mode::Client);
    let places = Arc::new(Semaphore::new(MAX_GATEWAY_STREAMS));
    let mut arriving = FuturesUnordered::new();
    let mut wanted: Option<oneshot::Sender<yamux::Stream>> = None;
    let step = |cx: &mut Context<'_>| {
        loop {
            match connection.poll_next_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => {
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        arriving.push(arrive(Stream::new(stream, place)));
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(error = %error, "the link was cut");
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if let Poll::Ready(Some(arrived)) = arriving.poll_next_unpin(cx) {
                // Dropping what is not taken resets it, and whoever connected inside is refused.
                if let Some(stream) = arrived {
                    let _ = gateway.try_send(Box::new(stream));
                }
                continue;
            }
            if wanted.is_none() {
                wanted = match requests.poll_recv(cx) {
                    Poll::Ready(Some(request)) => Some(request),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                };
            }
            match connection.poll_new_outbound(cx) {
                Poll::Ready(Ok(stream)) => {
                    if let Some(request) = wanted.take() {
                        let _ = request.send(stream);
                    }
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(error = %error, "the link makes no more streams");
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    };
    poll_fn(step).await;
}

/// Reads what a stream of the guest is for.
async fn arrive(mut stream: Stream) -> Option<Stream> {
    match tokio::time::timeout(HEADER_DEADLINE, receive(&mut stream)).await {
        Ok(Ok(GuestOpen::Gateway)) => Some(stream),
        Ok(Err(_)) | Err(_) => None,
    }
}
