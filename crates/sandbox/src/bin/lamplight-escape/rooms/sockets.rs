//! Kinds of sockets: past the network namespace to the hypervisor, or into parts of the kernel that nobody needs here.

use crate::attempt::{Attempt, REFUSED, Stop, StoppedBy, Tried, found};
use crate::call::{at, call, descriptor};
use std::os::fd::AsRawFd;

const NO_SUCH: StoppedBy = StoppedBy::Errors(
    "a refusal, or no such family",
    &[libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT],
);

/// `AF_MAX` of this and the next few kernels.
const FAMILIES: i32 = 50;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("read every packet (AF_PACKET)", NO_SUCH, |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    Attempt::new("forge packets (raw sockets)", NO_SUCH, |_| {
        socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
    }),
    Attempt::new("forge packets of IPv6", NO_SUCH, |_| {
        socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)
    }),
    Attempt::new("call the hypervisor (AF_VSOCK)", NO_SUCH, |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    Attempt::new("use the kernel's cryptography (AF_ALG)", NO_SUCH, |_| {
        socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)
    }),
    Attempt::new("speak with the packet filter (NETLINK_NETFILTER)", NO_SUCH, |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)
    }),
    Attempt::new("speak with the audit log (NETLINK_AUDIT)", NO_SUCH, |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT)
    }),
    Attempt::new("hear of the machine's devices (NETLINK_KOBJECT_UEVENT)", NO_SUCH, |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT)
    }),
    Attempt::new("use any other kind of netlink", StoppedBy::Absence, |_| {
        let others = (0..32).filter(|protocol| *protocol != libc::NETLINK_ROUTE);
        let made = others.filter(|protocol| socket(libc::AF_NETLINK, libc::SOCK_RAW, *protocol).is_ok());
        found(made.map(|protocol| format!("netlink {protocol}")).collect())
    }),
    Attempt::new("use any other family of sockets", StoppedBy::Absence, |_| {
        let usual = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
        let others = (0..FAMILIES).filter(|family| !usual.contains(family));
        let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
        let made = others.filter(|family| kinds.iter().any(|kind| socket(*family, *kind, 0).is_ok()));
        found(made.map(|family| format!("family {family}")).collect())
    }),
    Attempt::new("change a network interface", REFUSED, |_| {
        let socket =
            descriptor(libc::SYS_socket, &[libc::AF_INET.into(), libc::SOCK_DGRAM.into(), 0.into()])?;
        // SAFETY: all of it are integers and arrays of integers.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name[..2].copy_from_slice(&[b'l'.cast_signed(), b'o'.cast_signed()]);
        // The size that loopback has anyway.
        request.ifr_ifru.ifru_mtu = 65_536;
        call(libc::SYS_ioctl, &[socket.as_raw_fd().into(), libc::SIOCSIFMTU.into(), at(&mut request)])?;
        Ok("set the size of packets".into())
    }),
];

fn socket(family: i32, kind: i32, protocol: i32) -> Tried {
    match descriptor(libc::SYS_socket, &[family.into(), kind.into(), protocol.into()]) {
        Ok(socket) => Ok(format!("got socket {}", socket.as_raw_fd())),
        Err(error) => Err(Stop::from(error)),
    }
}
