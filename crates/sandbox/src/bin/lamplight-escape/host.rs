//! A stand-in for what is around a sandbox on a real machine: addresses that must not be reached, and a process that
//! listens everywhere and tells whoever comes that they got through.

use crate::call::{fork, kill};
use crate::facts::Facts;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::Path;
use std::process::{Command, ExitCode};

/// Addresses that a network of its own gets, one of each kind that no sandbox may reach: metadata of clouds, private
/// networks, carrier-grade NAT, and the public internet (of documentation, RFC 5737).
pub(crate) const ADDRESSES: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(192, 168, 0, 1),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(203, 0, 113, 1),
];

/// Metadata of a cloud by IPv6.
pub(crate) const ADDRESS_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Runs a command beside the neighbour, whose facts are in the folder.
pub(crate) fn beside(folder: &Path, program: &str, arguments: &[&str]) -> Result<ExitCode> {
    let own_network = rustix::process::geteuid().is_root();
    if own_network {
        // SAFETY: this process has one thread.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.context("make a network")?;
        add_addresses()?;
    }
    let facts = settle(folder, own_network)?;
    let status =
        Command::new(program).args(arguments).status().with_context(|| format!("start {program}"))?;
    kill(facts.neighbour_pid, libc::SIGKILL).context("end the neighbour")?;
    Ok(u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Puts the secret in place and starts the neighbour, which ends with this process.
pub(crate) fn settle(folder: &Path, everywhere: bool) -> Result<Facts> {
    let id = std::process::id();
    let marker = format!("this is of the host, {id}");
    let name = format!("lamplight-escape-{id}");
    let (secret, socket) = (folder.join("secret"), folder.join("host.sock"));
    fs::write(&secret, &marker).context("write the secret")?;
    let by_path = UnixListener::bind(&socket).context("listen at a path")?;
    let by_name =
        UnixListener::bind_addr(&UnixAddress::from_abstract_name(&name)?).context("listen at a name")?;
    let any = if everywhere { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let tcp = TcpListener::bind((any, 0)).context("listen on TCP")?;
    let port = tcp.local_addr()?.port();
    let udp = UdpSocket::bind((any, port)).context("listen on UDP")?;
    let any_6 = if everywhere { Ipv6Addr::UNSPECIFIED } else { Ipv6Addr::LOCALHOST };
    // Without IPv6 there is nothing to reach by it.
    let tcp_6 = only_6(any_6, port).ok();
    // A name is cut to 15 bytes by the kernel.
    let neighbour = format!("neighbour{id}").chars().take(15).collect::<String>();
    let (mut ready, mut starting) = io::pipe()?;
    let neighbour_pid = fork(|| {
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        let _ = fs::write("/proc/self/comm", &neighbour);
        let _ = starting.write_all(b"x");
        let _ = answer(&marker, &by_path, &by_name, &tcp, tcp_6.as_ref(), &udp);
    })?;
    ready.read_exact(&mut [0]).context("wait for the neighbour to have its name")?;
    let facts =
        Facts { marker, secret, folder: folder.to_owned(), socket, name, port, neighbour, neighbour_pid };
    fs::write(folder.join(Facts::FILE), serde_json::to_vec(&facts)?).context("write down the facts")?;
    Ok(facts)
}

/// Brings up loopback and gives it all addresses. The network is one that nobody else uses.
pub(crate) fn add_addresses() -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("a socket")?;
    // SAFETY: all of it are integers and arrays of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    named(&mut request, "lo");
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).expect("a small flag");
    ask(&socket, libc::SIOCSIFFLAGS, &request).context("bring up loopback")?;
    for (n, address) in ADDRESSES.iter().enumerate() {
        named(&mut request, &format!("lo:{n}"));
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
            sin_zero: [0; 8],
        };
        // SAFETY: both are plain data, and an address of IPv4 fits into a sockaddr.
        request.ifr_ifru.ifru_addr =
            unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
        ask(&socket, libc::SIOCSIFADDR, &request).context("add an address")?;
    }
    let address = libc::in6_addr { s6_addr: ADDRESS_6.octets() };
    let request = libc::in6_ifreq { ifr6_addr: address, ifr6_prefixlen: 128, ifr6_ifindex: 1 };
    // Without IPv6 there is nothing to reach by it.
    let _ = UdpSocket::bind("[::]:0").and_then(|socket| ask(&socket, libc::SIOCSIFADDR, &request));
    Ok(())
}

fn named(request: &mut libc::ifreq, name: &str) {
    request.ifr_name = [0; libc::IFNAMSIZ];
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
}

fn ask<T>(socket: &UdpSocket, what: libc::Ioctl, request: &T) -> io::Result<()> {
    // SAFETY: the request outlives the call, and is what the kernel reads for this ioctl.
    match unsafe { libc::ioctl(socket.as_raw_fd(), what, std::ptr::from_ref(request)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Beside the listener for IPv4 at the same port.
fn only_6(address: Ipv6Addr, port: u16) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt::set_ipv6_v6only};
    let listener = socket(AddressFamily::INET6, SocketType::STREAM, None)?;
    set_ipv6_v6only(&listener, true)?;
    bind(&listener, &SocketAddr::from((address, port)))?;
    listen(&listener, 16)?;
    Ok(listener.into())
}

fn answer(
    marker: &str,
    by_path: &UnixListener,
    by_name: &UnixListener,
    tcp: &TcpListener,
    tcp_6: Option<&TcpListener>,
    udp: &UdpSocket,
) -> io::Result<()> {
    loop {
        let all = [by_path.as_fd(), by_name.as_fd(), tcp.as_fd(), udp.as_fd()];
        let all = all.into_iter().chain(tcp_6.map(AsFd::as_fd));
        let mut all: Vec<_> =
            all.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
        poll(&mut all, None)?;
        let ready: Vec<bool> = all.iter().map(|one| !one.revents().is_empty()).collect();
        // Whoever hangs up at once has heard nothing, and that is their own affair.
        for (listener, _) in [by_path, by_name].into_iter().zip(&ready).filter(|(_, ready)| **ready) {
            let _ = listener.accept().and_then(|(mut stream, _)| stream.write_all(marker.as_bytes()));
        }
        for (listener, ready) in [(Some(tcp), ready[2]), (tcp_6, ready.get(4).is_some_and(|ready| *ready))] {
            if let (Some(listener), true) = (listener, ready) {
                let _ = listener.accept().and_then(|(mut stream, _)| stream.write_all(marker.as_bytes()));
            }
        }
        if ready[3] {
            let _ = udp.recv_from(&mut [0; 64]).and_then(|(_, to)| udp.send_to(marker.as_bytes(), to));
        }
    }
}
