//! Where a sandbox asks for the outside: sockets of its own network, served from here.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Both sockets are in the sandbox's network. Holding them, or a connection accepted from them, keeps that network.
#[derive(Debug)]
pub struct Egress {
    /// Takes every TCP connection that is for somewhere else; see [`Egress::destination`].
    pub tcp: TcpListener,
    /// Takes every question to a name server (RFC 1035).
    pub dns: UdpSocket,
}

impl Egress {
    /// Of sockets that do not block from here on. To be called where a runtime is.
    pub fn new(tcp: std::net::TcpListener, dns: std::net::UdpSocket) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        dns.set_nonblocking(true)?;
        Ok(Self { tcp: TcpListener::from_std(tcp)?, dns: UdpSocket::from_std(dns)? })
    }

    /// What a connection is for. `None`: it was made to [`inside::PROXY`](crate::provider::inside::PROXY) itself, and speaks a
    /// proxy's protocol.
    pub fn destination(connection: &TcpStream) -> io::Result<Option<SocketAddrV4>> {
        /// Source: linux/netfilter_ipv4.h; not in the libc crate for every target.
        const SO_ORIGINAL_DST: libc::c_int = 80;
        // SAFETY: all of it are integers and arrays of integers.
        let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        let mut length = libc::socklen_t::try_from(size_of::<libc::sockaddr_in>()).expect("a small number");
        // SAFETY: the kernel writes at most `length` bytes, which is the size of what it is given.
        let got = unsafe {
            libc::getsockopt(
                connection.as_raw_fd(),
                libc::SOL_IP,
                SO_ORIGINAL_DST,
                (&raw mut address).cast(),
                &raw mut length,
            )
        };
        if got == 0 {
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            return Ok(Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port))));
        }
        match io::Error::last_os_error() {
            // The connection is not tracked, as those within loopback are not, or this kernel tracks none.
            error if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOPROTOOPT)) => Ok(None),
            error => Err(error),
        }
    }
}
