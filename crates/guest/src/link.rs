//! The link: the host connects, a multiplexer runs on the connection, each stream is a call. A newer connection replaces the
//! older; whatever the older one was doing ends where it is, and nothing that has to survive lives in it.

use crate::calls;
use crate::guest::Guest;
use crate::stream::Stream;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Streams of one link, those of both ends; a host that opens more loses the link.
const MAX_STREAMS: usize = 512;

/// Requests for streams that wait for the multiplexer.
const OPEN_QUEUE: usize = 16;

/// After a connection could not be accepted, as when there are no descriptors left.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Opens streams to the host.
#[derive(Clone)]
pub(crate) struct Opener {
    requests: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
}

impl Opener {
    /// A new stream, or `None` when the link is gone.
    pub(crate) async fn open(&self) -> Option<Stream> {
        let (made, stream) = oneshot::channel();
        self.requests.send(made).await.ok()?;
        stream.await.ok().map(Stream::new)
    }
}

/// Serves one host after the other, for as long as the sandbox lives.
pub(crate) async fn accept(guest: Rc<Guest>, listener: UnixListener) -> anyhow::Result<()> {
    let mut current = JoinSet::new();
    let mut links = 0;
    loop {
        match listener.accept().await {
            Ok((socket, _)) if is_from_outside(&guest, &socket) => {
                current.shutdown().await;
                links += 1;
                current.spawn_local(serve(Rc::clone(&guest), socket, links));
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}

/// Nothing inside may take the host's place. A process outside has no number in here, which the kernel shows as 0.
pub(crate) fn is_from_outside(guest: &Guest, socket: &UnixStream) -> bool {
    !guest.knows_hosts || socket.peer_cred().is_ok_and(|peer| peer.pid() == Some(0))
}

/// Runs one link. Dropped when it is replaced.
async fn serve(guest: Rc<Guest>, socket: UnixStream, link: u64) {
    let (requests, wanted) = mpsc::channel(OPEN_QUEUE);
    guest.opener.send_replace(Some(Opener { requests }));
    let _ended = Ended { guest: &guest, link };
    drive(&guest, socket, link, wanted).await;
}

/// However a link ends.
struct Ended<'a> {
    guest: &'a Guest,
    link: u64,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.guest.opener.send_replace(None);
        let processes = self.guest.processes.borrow();
        processes
            .values()
            .filter(|process| process.is_transient_of(self.link))
            .for_each(|process| process.abandon());
    }
}

fn config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    // No more than the 256 KiB that each stream has anyway: nothing comes in here that is worth more memory.
    config.set_max_connection_receive_window(Some(MAX_STREAMS * yamux::DEFAULT_CREDIT as usize));
    config
}

async fn drive(
    guest: &Rc<Guest>,
    socket: UnixStream,
    link: u64,
    mut wanted: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
) {
    let mut connection = yamux::Connection::new(socket.compat(), config(), yamux::Mode::Server);
    let mut calls: JoinSet<io::Result<()>> = JoinSet::new();
    let mut request = None;
    let step = |cx: &mut Context<'_>| {
        loop {
            match connection.poll_next_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => {
                    calls.spawn_local(calls::answer(Rc::clone(guest), link, Stream::new(stream)));
                    continue;
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            // How a call failed was told to the host on its stream, or the stream is what failed.
            if let Poll::Ready(Some(_)) = calls.poll_join_next(cx) {
                continue;
            }
            if request.is_none() {
                request = match wanted.poll_recv(cx) {
                    Poll::Ready(Some(made)) => Some(made),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                };
            }
            match connection.poll_new_outbound(cx) {
                Poll::Ready(Ok(stream)) => {
                    if let Some(made) = request.take() {
                        let _ = made.send(stream);
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    };
    poll_fn(step).await;
}
