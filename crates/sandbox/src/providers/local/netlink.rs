//! Netlink messages, as far as a sandbox's network needs them. Source: netlink(7).

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::io;
use std::os::fd::OwnedFd;

/// Bytes of `struct nlmsghdr`, and of the part of an attribute before its value.
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_APPEND: u16 = 0x800;
const NLA_F_NESTED: u16 = 0x8000;

/// Replies of the kernel are read this many bytes at a time.
const REPLY: usize = 8 * 1024;

/// One or more messages that are sent together.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    count: u32,
    last: usize,
}

impl Messages {
    /// Adds a message: its fixed part, then its attributes.
    pub(super) fn add(&mut self, kind: u16, flags: u16, fixed: &[u8], attributes: Attributes) {
        self.last = self.bytes.len();
        self.count += 1;
        let length = u32::try_from(HEADER + fixed.len() + attributes.0.len()).expect("messages are short");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(fixed);
        self.bytes.extend(attributes.0);
    }

    /// Asks for the word that this last message was taken.
    pub(super) fn acknowledge(&mut self) {
        let place = self.last + 6;
        let flags = u16::from_ne_bytes([self.bytes[place], self.bytes[place + 1]]) | NLM_F_ACK;
        self.bytes[place..place + 2].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Sends all of it; without a protocol to the one of routes. One refusal is a failure of the whole, and so is silence about what was to be acknowledged.
    pub(super) fn send(&self, protocol: Option<Protocol>) -> Result<()> {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
            .context("open a netlink socket")?;
        rustix::net::sendto(&socket, &self.bytes, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))
            .context("write to netlink")?;
        if replies(&socket)?.contains(&0) { Ok(()) } else { anyhow::bail!("netlink acknowledged nothing") }
    }
}

/// What the kernel answered: it has done so by the time that the sending returns. Fails with the first error.
fn replies(socket: &OwnedFd) -> Result<Vec<i32>> {
    let mut codes = Vec::new();
    let mut buffer = [0; REPLY];
    loop {
        let length = match rustix::net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::AGAIN) => return Ok(codes),
            Err(error) => return Err(error).context("read from netlink"),
        };
        let mut rest = &buffer[..length];
        while let Some((header, _)) = rest.split_at_checked(HEADER) {
            let size = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let (message, next) = rest.split_at(size.next_multiple_of(4).clamp(HEADER, rest.len()));
            if u16::from_ne_bytes([header[4], header[5]]) == NLMSG_ERROR
                && let Some(&[a, b, c, d]) = message.get(HEADER..HEADER + 4)
            {
                match i32::from_ne_bytes([a, b, c, d]) {
                    code @ ..0 => return Err(io::Error::from_raw_os_error(-code)).context("netlink refused"),
                    code => codes.push(code),
                }
            }
            rest = next;
        }
    }
}

/// Attributes of a message, one behind the other.
#[derive(Clone, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE + value.len()).expect("attributes are short");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A number as nftables wants it: most significant byte first.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_be_bytes())
    }

    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), b"\0"].concat())
    }

    pub(super) fn nested(self, kind: u16, inner: Self) -> Self {
        self.with(kind | NLA_F_NESTED, &inner.0)
    }
}
