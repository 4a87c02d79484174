//! Whom one can reach: the host's listeners and every address that a sandbox has no business with.
//!
//! That a connection is taken says little: whatever decides about it may sit behind. To have heard the neighbour is what
//! counts.

use crate::attempt::{Attempt, Stop, StoppedBy, Tried, found};
use crate::facts::Facts;
use crate::host::{ADDRESS_6, ADDRESSES};
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::path::Path;
use std::time::Duration;

/// A neighbour on the same machine answers in less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(500);

const UNREACHABLE: StoppedBy = StoppedBy::Errors(
    "nobody there",
    &[
        libc::ECONNREFUSED,
        libc::ECONNRESET,
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::ENETDOWN,
        libc::EADDRNOTAVAIL,
        libc::EACCES,
        libc::EPERM,
        libc::ENOENT,
        libc::ETIMEDOUT,
    ],
);

/// Where programs listen that would do anything for whoever may speak with them.
const POWERFUL: &[&str] = &[
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/run/systemd/notify",
    "/run/snapd.sock",
    "/tmp/.X11-unix/X0",
    "/run/user/1000/bus",
    "/run/user/1000/gnupg/S.gpg-agent",
    "/run/user/1000/wayland-0",
];

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("reach a listener on the host's loopback", UNREACHABLE, |facts| {
        tcp(facts, Ipv4Addr::LOCALHOST.into())
    }),
    Attempt::new("reach it by another address of loopback", UNREACHABLE, |facts| {
        tcp(facts, Ipv4Addr::new(127, 9, 9, 9).into())
    }),
    Attempt::new("reach it by the address of any", UNREACHABLE, |facts| {
        tcp(facts, Ipv4Addr::UNSPECIFIED.into())
    }),
    Attempt::new("reach it by an IPv4 address inside IPv6", UNREACHABLE, |facts| {
        tcp(facts, Ipv4Addr::LOCALHOST.to_ipv6_mapped().into())
    }),
    Attempt::new("reach it by IPv6", UNREACHABLE, |facts| tcp(facts, std::net::Ipv6Addr::LOCALHOST.into())),
    Attempt::new("reach it by UDP", UNREACHABLE, |facts| udp(facts, Ipv4Addr::LOCALHOST)),
    Attempt::new("ask a cloud for its credentials (169.254.169.254)", UNREACHABLE, |facts| {
        tcp(facts, ADDRESSES[0].into())
    }),
    Attempt::new("ask a cloud by IPv6 (fd00:ec2::254)", UNREACHABLE, |facts| tcp(facts, ADDRESS_6.into())),
    Attempt::new("reach a private network (10/8)", UNREACHABLE, |facts| tcp(facts, ADDRESSES[1].into())),
    Attempt::new("reach a private network (172.16/12)", UNREACHABLE, |facts| tcp(facts, ADDRESSES[2].into())),
    Attempt::new("reach a private network (192.168/16)", UNREACHABLE, |facts| {
        tcp(facts, ADDRESSES[3].into())
    }),
    Attempt::new("reach a carrier's network (100.64/10)", UNREACHABLE, |facts| {
        tcp(facts, ADDRESSES[4].into())
    }),
    Attempt::new("send out data by UDP", UNREACHABLE, |facts| udp(facts, ADDRESSES[5])),
    Attempt::new("speak with a Unix socket of the host by its path", UNREACHABLE, |facts| {
        heard(facts, UnixStream::connect(&facts.socket)?)
    }),
    Attempt::new("speak with a Unix socket of the host by its abstract name", UNREACHABLE, |facts| {
        heard(facts, UnixStream::connect_addr(&UnixAddress::from_abstract_name(&facts.name)?)?)
    }),
    Attempt::new("find the socket of a powerful program", StoppedBy::Absence, |_| {
        found(
            POWERFUL.iter().filter(|path| Path::new(path).exists()).map(|path| (*path).to_owned()).collect(),
        )
    }),
    Attempt::new("find an interface that leads out", StoppedBy::Absence, |_| {
        let interfaces = std::fs::read_to_string("/proc/net/dev")?;
        let names = interfaces.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim()));
        let routes = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        let foreign =
            ADDRESSES.iter().map(ToString::to_string).filter(|address| routes.contains(address.as_str()));
        found(names.filter(|name| *name != "lo").map(str::to_owned).chain(foreign).collect())
    }),
];

fn tcp(facts: &Facts, address: IpAddr) -> Tried {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::new(address, facts.port), PATIENCE).map_err(timed_out)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    heard(facts, stream)
}

fn udp(facts: &Facts, address: Ipv4Addr) -> Tried {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((address, facts.port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"who is there?")?;
    let mut said = [0; 256];
    let length = socket.recv(&mut said).map_err(timed_out)?;
    through(facts, &said[..length])
}

fn heard(facts: &Facts, mut from: impl Read) -> Tried {
    let mut said = Vec::new();
    // Whatever came before the connection was cut counts.
    let cut = from.by_ref().take(256).read_to_end(&mut said).map_err(timed_out);
    if said.is_empty() {
        cut?;
    }
    through(facts, &said)
}

fn through(facts: &Facts, said: &[u8]) -> Tried {
    if said == facts.marker.as_bytes() {
        return Ok("heard the neighbour".into());
    }
    // Taken by somebody else, who then hung up or said something of their own.
    Err(Stop::Error(libc::ECONNRESET))
}

/// The standard library gives its own timeouts no number, and a read's the one of "try again".
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        _ => error,
    }
}
