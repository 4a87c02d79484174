//! The way out of a sandbox: two sockets in its own network, which the guest keeps and hands to every host that asks. The host
//! accepts, decides and dials; nothing in here has a route to anywhere but loopback.
//!
//! ```text
//! program ─ connect 198.51.100.7:4321 ─▶ rules (`redirect`) ─▶ listener 127.0.0.1:7412 ─ accepted by ─▶ host
//! program ─ ask any name server ───────▶ rules ──────────────▶ socket 127.0.0.1:7413 ── read by ────▶ host
//! program that knows proxies ─────────────────────────────────▶ 127.0.0.1:7412
//! ```
//! Where the kernel has no such rules, only the last way is left; then programs are told of it by their environment.

use super::container::take_way_out;
use super::disk::GenerationDir;
use super::record::{OwnKernel, Record};
use super::redirect;
use crate::egress::Egress;
use crate::error::{ErrorKind, SandboxError};
use crate::provider::inside;
use anyhow::{Context, Result};
use lamplight_domain::sandbox::Strength;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketType, recvmsg, sockopt};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Longest wait for a guest to hand its sockets over.
const HANDING: Duration = Duration::from_secs(5);

/// Descriptors that a guest may hand over; the kernel drops further ones.
const MAX_HANDED: usize = 8;

/// What the guest's byte says: a listener and a datagram socket, told apart by what the kernel says of them.
const LAYOUT: u8 = 1;

/// The way out, as init makes it.
pub(super) struct Outlet {
    pub(super) proxy: OwnedFd,
    pub(super) dns: OwnedFd,
    /// Why programs are not connected without knowing of it; `None` when they are.
    pub(super) opaque: Option<String>,
}

/// Makes the sockets and the rules. Asks for the rights over a network namespace in which loopback is up.
pub(super) fn open() -> Result<Outlet> {
    let proxy = TcpListener::bind(inside::PROXY).context("listen for connections to the outside")?;
    let dns = UdpSocket::bind(inside::DNS).context("listen for questions for names")?;
    proxy.set_nonblocking(true)?;
    dns.set_nonblocking(true)?;
    let rules = redirect::redirect(inside::ADDRESS, inside::PROXY.1, inside::DNS.1);
    if rules.is_ok() {
        redirect::own_every_address()?;
        redirect::have_an_address(inside::ADDRESS)?;
    }
    let opaque = rules.err().map(|error| format!("{error:#}"));
    Ok(Outlet { proxy: proxy.into(), dns: dns.into(), opaque })
}

/// How the policy of the network stands. Nothing gets out past the host, whatever programs know; without rules they have to know of it.
pub(super) fn strength(outlet: Option<&Outlet>) -> Strength {
    match outlet.and_then(|outlet| outlet.opaque.as_ref()) {
        None => Strength::Enforced,
        Some(why) => Strength::Soft { why: format!("programs have to know the proxy: {why}") },
    }
}

/// What programs are told where the network is not transparent.
pub(super) fn proxy_environment() -> Vec<(String, String)> {
    let proxy = format!("http://{}:{}", inside::PROXY.0, inside::PROXY.1);
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let except = ["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), "localhost,127.0.0.1,::1".to_owned()));
    names.into_iter().map(|name| (name.to_owned(), proxy.clone())).chain(except).collect()
}

/// Asks the guest for its sockets; `None` for a sandbox that has none.
pub(super) async fn ask(here: &GenerationDir) -> Result<Option<Egress>, SandboxError> {
    let gone = || SandboxError::new(ErrorKind::Gone, "its folder was removed");
    let record = here.record().map_err(|error| SandboxError::from_io("look at the sandbox", error))?;
    if let Some((record, own_kernel)) = record.and_then(|record| Some((record.clone(), record.own_kernel?))) {
        return take(record, own_kernel).await;
    }
    let folder = File::open(&here.0).map_err(|_| gone())?;
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), GenerationDir::EGRESS);
    let asked = async {
        let guest = UnixStream::connect(path).await?;
        guest.async_io(Interest::READABLE, || receive(&guest)).await
    };
    match tokio::time::timeout(HANDING, asked).await {
        Ok(Ok(descriptors)) => egress(descriptors)
            .map(Some)
            .map_err(|error| SandboxError::from_io("understand what the guest handed over", error)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(gone()),
        Ok(Err(error)) => Err(SandboxError::from_io("ask the guest for its sockets", error)),
        Err(_) => Err(SandboxError::new(ErrorKind::Unavailable, "the guest hands nothing over")),
    }
}

/// Takes them from a kernel of its own, which hands out nothing.
async fn take(record: Record, own_kernel: OwnKernel) -> Result<Option<Egress>, SandboxError> {
    if !own_kernel.has_way_out {
        return Ok(None);
    }
    let taken = tokio::task::spawn_blocking(move || take_way_out(&record)).await;
    match taken.unwrap_or_else(|panic| Err(io::Error::other(panic))).and_then(egress) {
        Ok(egress) => Ok(Some(egress)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SandboxError::new(ErrorKind::Gone, "does not run any more"))
        }
        Err(error) => Err(SandboxError::from_io("take the sockets of its network", error)),
    }
}

fn receive(guest: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut layout = [0];
    let received =
        recvmsg(guest, &mut [IoSliceMut::new(&mut layout)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes != 1 || layout != [LAYOUT] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the guest hands over in a way of its own"));
    }
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(rights.flatten().collect())
}

/// Each descriptor for what the kernel says it is, and nothing for what the guest says.
fn egress(descriptors: Vec<OwnedFd>) -> io::Result<Egress> {
    let (mut tcp, mut dns) = (None, None);
    for descriptor in descriptors {
        match sockopt::socket_type(&descriptor)? {
            SocketType::STREAM if sockopt::socket_acceptconn(&descriptor)? => {
                tcp = Some(TcpListener::from(descriptor));
            }
            SocketType::DGRAM => dns = Some(UdpSocket::from(descriptor)),
            _ => {}
        }
    }
    let (Some(tcp), Some(dns)) = (tcp, dns) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a listener or the socket for names is missing",
        ));
    };
    Egress::new(tcp, dns)
}
