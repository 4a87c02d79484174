//! `/proc`, and what of it tells of the machine or changes it.
//!
//! Source of the two lists: the OCI runtime specification's default masked and read-only paths, as all container runtimes
//! have them; `/sys` does not exist inside.

use super::mounts::{Attributes, Root, attach, clone_tree};
use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::mount::MountFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::path::Path;

/// Read as nothing: an empty file, or an empty directory.
pub(super) const HIDDEN: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];

pub(super) const READ_ONLY: &[&str] = &["/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// `/proc` without masks, for this process only: settings of namespaces are made in it that come later than the masks.
pub(super) struct Settings {
    proc: OwnedFd,
    /// It is that of outside, and perhaps masked there: what cannot be set is left as it is.
    is_foreign: bool,
}

/// Mounts `/proc` of the new PID namespace. Where the kernel refuses that (an ordinary user's container whose own `/proc` is
/// masked) and it is allowed to be unsafe, the one of outside; then why.
pub(super) fn mount(root: &Root, is_unsafe: bool) -> Result<Option<String>> {
    root.directory(EMPTY)?;
    let own = root.kernel("proc", "/proc", MountFlags::NODEV | MountFlags::NOEXEC, "");
    match own {
        Ok(()) => Ok(None),
        Err(_) if !is_unsafe => own.map(|()| None),
        Err(error) => {
            root.show(Path::new("/proc"), "/proc", Attributes::Writable)?;
            Ok(Some(format!("processes of outside are visible in /proc: {error:#}")))
        }
    }
}

impl Settings {
    /// `spare` and above are numbers of descriptors that nothing is put in place at.
    pub(super) fn open(spare: RawFd, is_foreign: bool) -> io::Result<Self> {
        let proc = clone_tree(Path::new("/proc"), true)?;
        Ok(Self { proc: rustix::io::fcntl_dupfd_cloexec(&proc, spare)?, is_foreign })
    }

    /// Writes `/proc/sys/<name>`, in the namespaces that this process is in now.
    pub(super) fn set(&self, name: &str, value: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.proc, format!("sys/{name}"), flags, Mode::empty());
        match file.and_then(|file| rustix::io::write(&file, value.as_bytes())) {
            Err(error) if !self.is_foreign => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Masks what is in the lists, and what of them this kernel has. `/dev` has to be there already.
pub(super) fn hide() -> Result<()> {
    for path in HIDDEN {
        let Ok(what) = std::fs::symlink_metadata(path) else { continue };
        // Any directory that is empty and read-only; the root of the sandbox has one.
        let with = if what.is_dir() { EMPTY } else { "/dev/null" };
        cover(with, path, Attributes::ReadOnly).with_context(|| format!("hide {path}"))?;
    }
    for path in READ_ONLY.iter().filter(|path| Path::new(path).exists()) {
        cover(path, path, Attributes::ReadOnly).with_context(|| format!("make {path} read-only"))?;
    }
    Ok(())
}

/// Made with the root, and left empty.
pub(super) const EMPTY: &str = "/run/lamplight/empty";

fn cover(with: &str, path: &str, attributes: Attributes) -> Result<()> {
    let tree = clone_tree(Path::new(with), false)?;
    attributes.set(tree.as_fd(), false)?;
    Ok(attach(tree.as_fd(), Path::new(path))?)
}
