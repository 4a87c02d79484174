//! Sockets of the sandbox that the host is to serve: bound in here, so that they belong to this network, and kept here, so that they
//! outlive every host. Each host that connects gets all of them with one byte, and accepts and reads by itself from then on.

use crate::guest::Guest;
use crate::link::{ACCEPT_RETRY, is_from_outside};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// How long a host may take to make room for the one byte; the next one waits for it.
const HANDING: Duration = Duration::from_secs(5);

/// What the byte says: how the sockets are to be understood. They are told apart by what the kernel says of each.
const LAYOUT: u8 = 1;

/// Serves one host after the other, for as long as the sandbox lives.
pub(crate) async fn serve(guest: Rc<Guest>, socket: UnixListener, handed: Vec<OwnedFd>) {
    loop {
        match socket.accept().await {
            Ok((host, _)) if is_from_outside(&guest, &host) => {
                // A host that is gone before it has them asks again, or is another one.
                let _ = timeout(HANDING, hand(&host, &handed)).await;
            }
            Ok(_) => {}
            Err(_) => sleep(ACCEPT_RETRY).await,
        }
    }
}

async fn hand(host: &UnixStream, handed: &[OwnedFd]) -> io::Result<()> {
    let descriptors: Vec<_> = handed.iter().map(AsFd::as_fd).collect();
    let rights = SendAncillaryMessage::ScmRights(&descriptors);
    let mut space = vec![MaybeUninit::uninit(); rights.size()];
    host.async_io(Interest::WRITABLE, || {
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let rights = SendAncillaryMessage::ScmRights(&descriptors);
        if !ancillary.push(rights) {
            return Err(io::Error::other("no room for the descriptors"));
        }
        sendmsg(host, &[IoSlice::new(&[LAYOUT])], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    })
    .await
}
