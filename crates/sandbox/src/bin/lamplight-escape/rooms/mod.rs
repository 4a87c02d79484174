//! The attempts, a room for each kind of thing that is attacked.

mod cgroups;
mod descriptors;
mod devices;
mod files;
mod kernel;
mod kernel_files;
mod keys;
mod limits;
mod look;
mod mounts;
mod namespaces;
mod network;
mod privileges;
mod processes;
mod sockets;
mod terminal;

use crate::attempt::Attempt;

pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// Whether each attempt is made in a sandbox of its own.
    pub(crate) alone: bool,
    pub(crate) attempts: &'static [Attempt],
}

const fn room(name: &'static str, attempts: &'static [Attempt]) -> Room {
    Room { name, alone: false, attempts }
}

pub(crate) const ROOMS: &[Room] = &[
    room("processes", processes::ATTEMPTS),
    room("namespaces", namespaces::ATTEMPTS),
    room("mounts", mounts::ATTEMPTS),
    room("files", files::ATTEMPTS),
    room("descriptors", descriptors::ATTEMPTS),
    room("files of the kernel", kernel_files::ATTEMPTS),
    room("calls of the kernel", kernel::ATTEMPTS),
    room("devices", devices::ATTEMPTS),
    room("terminal", terminal::ATTEMPTS),
    room("sockets", sockets::ATTEMPTS),
    room("network", network::ATTEMPTS),
    room("privileges", privileges::ATTEMPTS),
    room("keys", keys::ATTEMPTS),
    room("cgroups", cgroups::ATTEMPTS),
    Room { name: "limits", alone: true, attempts: limits::ATTEMPTS },
];
