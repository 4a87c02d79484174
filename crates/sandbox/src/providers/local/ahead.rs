//! What a launcher does before it is asked for anything, so that who asks waits for less:
//!
//! - enters cgroups of version 1 (see `cgroup`);
//! - makes the sockets that the host will dial: a socket is of the network that it was made in, and inside nobody is to see its name;
//! - as root, enters the network, names and IPC of the sandbox to come, which init is then born into: making a network is a tenth of
//!   all that a launch takes. An ordinary user has to have a user namespace before, which is made by the clone;
//! - looks at the machine's configuration (see `base`); what it saw counts for a moment only.

use super::base::Mark;
use super::cgroup::{self, Parked, Places};
use super::identity::Identity;
use super::privileges;
use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::UnshareFlags;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// So long the machine's configuration is taken to be what it was. Whoever changes it does not start a session in the same second.
const FRESH: Duration = Duration::from_secs(1);

pub(super) struct Ahead {
    pub(super) places: Places,
    pub(super) parked: Parked,
    /// Without a name yet.
    pub(super) sockets: [OwnedFd; 2],
    mark: (Instant, Mark),
}

impl Ahead {
    /// To be called while this process has one thread.
    pub(super) fn prepare() -> Result<Self> {
        let places = Places::find().context("look for a place for cgroups")?;
        let parked = cgroup::park(&places);
        let sockets = [unix_socket()?, unix_socket()?];
        if Identity::is_root()? {
            let apart = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
            // SAFETY: this process has one thread, and shares no memory or descriptors with another.
            unsafe { rustix::thread::unshare_unsafe(apart) }.context("make the sandbox's network")?;
            privileges::raise_loopback().context("bring up loopback")?;
        }
        Ok(Self { places, parked, sockets, mark: (now(), Mark::look()?) })
    }

    /// What the machine's configuration is like now.
    pub(super) fn mark(&self) -> Result<Mark> {
        let (looked, mark) = self.mark;
        if now().duration_since(looked) < FRESH { Ok(mark) } else { Mark::look() }
    }
}

fn unix_socket() -> Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .context("make a socket")
}

#[expect(clippy::disallowed_methods, reason = "how long this process has waited is nobody else's time")]
fn now() -> Instant {
    Instant::now()
}
