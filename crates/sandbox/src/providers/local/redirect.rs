//! Rules of the sandbox's own network that bring every TCP connection, to any address and port but loopback's, to one listener, and
//! every question to any name server to one socket. So no port is taken that a program inside may want to listen on; a listener for
//! each common port, on all addresses, would keep those from it.
//!
//! Source: linux/netfilter/nf_tables.h, libnftnl; the same as
//! ```text
//! table ip lamplight {
//!     chain untracked { type filter hook output priority -300; ip daddr 127.0.0.0/8 notrack }
//!     chain out {
//!         type nat hook output priority -100
//!         ip daddr 127.0.0.0/8 return
//!         ip daddr OWN return
//!         meta l4proto tcp redirect to :PROXY
//!         udp dport 53 redirect to :DNS
//!     }
//! }
//! ```

use super::netlink::{Attributes, Messages, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use anyhow::{Context, Result};
use rustix::net::netlink::NETFILTER;
use std::net::Ipv4Addr;

const TABLE: &str = "lamplight";
const UNTRACKED: &str = "untracked";
const OUT: &str = "out";

/// The interface `lo` is the first of every network namespace.
const LOOPBACK: i32 = 1;

/// The port of name servers.
const DNS: u16 = 53;

/// All of IPv4 is this machine: then a connection to anywhere has a route, and what is not brought to us is refused at once.
pub(super) fn own_every_address() -> Result<()> {
    const RTM_NEWROUTE: u16 = 24;
    const RTA_OIF: u16 = 4;
    const RTPROT_BOOT: u8 = 3;
    let family = u8::try_from(libc::AF_INET).expect("a small number");
    let route = [
        family,
        0,
        0,
        0,
        libc::RT_TABLE_LOCAL,
        RTPROT_BOOT,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
        0,
        0,
        0,
        0,
    ];
    let mut messages = Messages::default();
    let interface = Attributes::default().with(RTA_OIF, &LOOPBACK.to_ne_bytes());
    messages.add(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, interface);
    messages.acknowledge();
    messages.send(None).context("route every address to loopback")
}

/// Gives `lo` an address beside loopback's. Without one, resolvers that are asked for IPv4 "if there is any" say that there is none
/// (`AI_ADDRCONFIG`, getaddrinfo(3)).
pub(super) fn have_an_address(address: Ipv4Addr) -> Result<()> {
    const RTM_NEWADDR: u16 = 20;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const WHOLE: u8 = 32;
    let family = u8::try_from(libc::AF_INET).expect("a small number");
    let mut fixed = vec![family, WHOLE, 0, libc::RT_SCOPE_UNIVERSE];
    fixed.extend(LOOPBACK.to_ne_bytes());
    let address = address.octets();
    let attributes = Attributes::default().with(IFA_LOCAL, &address).with(IFA_ADDRESS, &address);
    let mut messages = Messages::default();
    messages.add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, attributes);
    messages.acknowledge();
    messages.send(None).context("give loopback an address")
}

/// Brings TCP to the one port of loopback, and questions for names to the other; all but what is for `own` or loopback itself.
pub(super) fn redirect(own: Ipv4Addr, proxy: u16, dns: u16) -> Result<()> {
    let mut batch = Batch::default();
    batch.framed(NFNL_MSG_BATCH_BEGIN);
    batch.table();
    batch.chain(UNTRACKED, "filter", -300);
    batch.chain(OUT, "nat", -100);
    batch.rule(UNTRACKED, [to_loopback(), not_tracked()].concat());
    batch.rule(OUT, [to_loopback(), leave()].concat());
    batch.rule(OUT, [to(own), leave()].concat());
    batch.rule(OUT, [of_protocol(libc::IPPROTO_TCP), to_port(proxy)].concat());
    batch.rule(OUT, [of_protocol(libc::IPPROTO_UDP), for_port(DNS), to_port(dns)].concat());
    batch.messages.acknowledge();
    batch.framed(NFNL_MSG_BATCH_END);
    batch.messages.send(Some(NETFILTER)).context("redirect connections")
}

const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;
/// Where an IPv4 packet says where it goes.
const NETWORK_HEADER: u32 = 1;
const DESTINATION: u32 = 16;
const NF_INET_LOCAL_OUT: u32 = 3;
const NFT_RETURN: i32 = -5;
/// The register that expressions leave their value in for the next.
const REGISTER: u32 = 1;

/// What is taken as one, or not at all.
#[derive(Default)]
struct Batch {
    messages: Messages,
}

impl Batch {
    fn framed(&mut self, kind: u16) {
        let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
        self.messages.add(kind, 0, &[0, 0, high, low], Attributes::default());
    }

    fn add(&mut self, kind: u16, flags: u16, attributes: Attributes) {
        let family = u8::try_from(libc::AF_INET).expect("a small number");
        self.messages.add(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, &[family, 0, 0, 0], attributes);
    }

    fn table(&mut self) {
        self.add(NFT_MSG_NEWTABLE, NLM_F_CREATE, Attributes::default().text(1, TABLE));
    }

    fn chain(&mut self, name: &str, kind: &str, priority: i32) {
        let hook = Attributes::default().number(1, NF_INET_LOCAL_OUT).number(2, priority.cast_unsigned());
        let chain = Attributes::default().text(1, TABLE).text(3, name).nested(4, hook).text(7, kind);
        self.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain);
    }

    fn rule(&mut self, chain: &str, expressions: Vec<Attributes>) {
        let list = expressions.into_iter().fold(Attributes::default(), |list, one| list.nested(1, one));
        let rule = Attributes::default().text(1, TABLE).text(2, chain).nested(4, list);
        self.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, rule);
    }
}

fn to_loopback() -> Vec<Attributes> {
    vec![payload(NETWORK_HEADER, DESTINATION, 1), is(&[127])]
}

fn to(address: Ipv4Addr) -> Vec<Attributes> {
    vec![payload(NETWORK_HEADER, DESTINATION, 4), is(&address.octets())]
}

fn of_protocol(protocol: i32) -> Vec<Attributes> {
    const NFT_META_L4PROTO: u32 = 16;
    let protocol = u8::try_from(protocol).expect("protocols have one byte");
    let load = Attributes::default().number(2, NFT_META_L4PROTO).number(1, REGISTER);
    vec![expression("meta", load), is(&[protocol])]
}

fn for_port(port: u16) -> Vec<Attributes> {
    const TRANSPORT_HEADER: u32 = 2;
    const DESTINATION: u32 = 2;
    vec![payload(TRANSPORT_HEADER, DESTINATION, 2), is(&port.to_be_bytes())]
}

fn not_tracked() -> Vec<Attributes> {
    vec![Attributes::default().text(1, "notrack")]
}

fn leave() -> Vec<Attributes> {
    let verdict = Attributes::default().number(1, NFT_RETURN.cast_unsigned());
    let data = Attributes::default().number(1, 0).nested(2, Attributes::default().nested(2, verdict));
    vec![expression("immediate", data)]
}

fn to_port(port: u16) -> Vec<Attributes> {
    const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 2;
    let value = Attributes::default().with(1, &port.to_be_bytes());
    let load = Attributes::default().number(1, REGISTER).nested(2, value);
    let redirect = Attributes::default().number(1, REGISTER).number(3, NF_NAT_RANGE_PROTO_SPECIFIED);
    vec![expression("immediate", load), expression("redir", redirect)]
}

fn payload(base: u32, offset: u32, length: u32) -> Attributes {
    let load = Attributes::default().number(1, REGISTER).number(2, base).number(3, offset).number(4, length);
    expression("payload", load)
}

/// Goes on only when the register holds this.
fn is(value: &[u8]) -> Attributes {
    const NFT_CMP_EQ: u32 = 0;
    let compare = Attributes::default().number(1, REGISTER).number(2, NFT_CMP_EQ);
    expression("cmp", compare.nested(3, Attributes::default().with(1, value)))
}

fn expression(name: &str, data: Attributes) -> Attributes {
    Attributes::default().text(1, name).nested(2, data)
}
