//! The command line.

use crate::agent::Agent;
use crate::root;
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use tokio::net::UnixListener;

const USAGE: &str = "usage: lamplight-guest (--listen PATH | --listen-fd N) [--gateway ADDRESS|none] [--spool FOLDER] \
                     [--hand-out-fd N --handed N,N... | --way-out TCP,UDP] [--agent USER [--root PATH|none]]\n       lamplight-guest --relay PATH";

/// Where the gateway is inside every sandbox.
const GATEWAY: &str = "127.0.0.1:7411";

/// In the place of an address, or of a path: there is nothing to reach there. The gateway's address is for whoever wants it then.
const NONE: &str = "none";

/// Where unread output is kept.
const SPOOL: &str = "/var/tmp";

/// What the guest was started with.
pub(crate) struct Options {
    listen: Listen,
    /// `None` where nothing inside is to reach one.
    pub(crate) gateway: Option<SocketAddr>,
    pub(crate) spool: PathBuf,
    hand_out: Option<RawFd>,
    handed: Vec<RawFd>,
    /// Addresses of the listener and of the datagram socket.
    way_out: Option<[SocketAddr; 2]>,
    /// Who everything is done as, where the guest itself is root.
    pub(crate) agent: Option<Agent>,
    /// Where the agent asks for root; `None` where it is not to have it.
    pub(crate) root: Option<PathBuf>,
}

enum Listen {
    /// A Unix socket to make, for its owner only.
    At(PathBuf),
    /// One that whoever started the guest has bound.
    Inherited(RawFd),
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut listen = None;
        let mut gateway = GATEWAY.to_owned();
        let mut spool = PathBuf::from(SPOOL);
        let (mut hand_out, mut handed, mut way_out) = (None, Vec::new(), None);
        let mut agent = None;
        let mut root = Some(PathBuf::from(root::SOCKET));
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name:?} needs a value\n{USAGE}"))?;
            let text = || value.to_str().with_context(|| format!("{name:?} {value:?} is not text"));
            match name.to_str() {
                Some("--listen") => listen = Some(Listen::At(PathBuf::from(&value))),
                Some("--listen-fd") => {
                    listen = Some(Listen::Inherited(text()?.parse().context("--listen-fd takes a number")?));
                }
                Some("--gateway") => gateway = text()?.to_owned(),
                Some("--spool") => spool = PathBuf::from(&value),
                Some("--hand-out-fd") => {
                    hand_out = Some(text()?.parse().context("--hand-out-fd takes a number")?);
                }
                Some("--handed") => {
                    let numbers = text()?.split(',').map(str::parse).collect::<Result<_, _>>();
                    handed = numbers.context("--handed takes numbers")?;
                }
                Some("--way-out") => {
                    let addresses =
                        text()?.split(',').map(str::parse).collect::<Result<Vec<SocketAddr>, _>>();
                    let addresses = addresses.context("--way-out takes addresses with ports")?;
                    way_out = Some(addresses.try_into().ok().context("--way-out takes two of them")?);
                }
                Some("--agent") => agent = Some(Agent(text()?.parse().context("--agent takes a number")?)),
                Some("--root") => root = Some(PathBuf::from(&value)).filter(|path| path.as_os_str() != NONE),
                _ => bail!("unknown option {name:?}\n{USAGE}"),
            }
        }
        Ok(Self {
            listen: listen.context(USAGE)?,
            gateway: match gateway.as_str() {
                NONE => None,
                address => Some(
                    address
                        .parse()
                        .with_context(|| format!("--gateway {address} is not an address with a port"))?,
                ),
            },
            spool,
            hand_out,
            handed,
            way_out,
            agent,
            root,
        })
    }

    /// Whether that is one that whoever started the guest has bound.
    pub(crate) fn inherits_listener(&self) -> bool {
        matches!(self.listen, Listen::Inherited(_))
    }

    /// The socket that hosts connect to.
    pub(crate) fn listener(&self) -> anyhow::Result<UnixListener> {
        let listener = match &self.listen {
            Listen::At(path) => {
                // Left over from an earlier guest at the same place.
                let _ = std::fs::remove_file(path);
                let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
                let bound = std::os::unix::net::UnixListener::bind(path);
                rustix::process::umask(before);
                bound.with_context(|| format!("listen at {}", path.display()))?
            }
            Listen::Inherited(fd) => take_over(*fd).context("take over --listen-fd")?.into(),
        };
        listen(listener)
    }

    /// The socket at which hosts are handed the sockets that are for them, and these; `None` when there are none.
    pub(crate) fn hand_out(&self) -> anyhow::Result<Option<(UnixListener, Vec<OwnedFd>)>> {
        let Some(socket) = self.hand_out else { return Ok(None) };
        let socket = take_over(socket).context("take over --hand-out-fd")?;
        let handed = self.handed.iter().map(|fd| take_over(*fd)).collect::<anyhow::Result<_>>();
        Ok(Some((listen(socket.into())?, handed.context("take over --handed")?)))
    }

    /// The sockets of the way out, for a host that takes them from outside, as nothing can be handed to it: to be kept open, and served
    /// by nobody in here.
    pub(crate) fn way_out(&self) -> anyhow::Result<Option<(TcpListener, UdpSocket)>> {
        let Some([tcp, udp]) = self.way_out else { return Ok(None) };
        let listener = TcpListener::bind(tcp).with_context(|| format!("listen at {tcp}"))?;
        let socket = UdpSocket::bind(udp).with_context(|| format!("take datagrams at {udp}"))?;
        Ok(Some((listener, socket)))
    }
}

fn listen(listener: std::os::unix::net::UnixListener) -> anyhow::Result<UnixListener> {
    listener.set_nonblocking(true).context("make the listener non-blocking")?;
    UnixListener::from_std(listener).context("listen for the host")
}

/// Makes a descriptor ours that whoever started us has left open.
fn take_over(fd: RawFd) -> anyhow::Result<OwnedFd> {
    // SAFETY: whoever started the guest passes this descriptor to be owned, and nothing else here knows its number.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}
