//! The few mount calls that we use. All of them need `CAP_SYS_ADMIN` over the mount namespace, which root has, and
//! an ordinary user has in a user namespace of its own.

use anyhow::{Context, Result, anyhow};
use rustix::fs::{CWD, Mode};
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags};
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// What may not be done with files of a mount. Source: mount_setattr(2).
#[derive(Debug, Clone, Copy)]
pub(super) enum Attributes {
    /// Host files that all sandboxes share.
    ReadOnly,
    /// Files of the session.
    Writable,
    /// A device node of the host.
    Device,
}

impl Attributes {
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::ReadOnly => libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
            Self::Writable => libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
            Self::Device => libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
        }
    }
}

/// The root of a sandbox while it is put together. Paths inside are absolute, as the sandbox will see them.
pub(super) struct Root(pub(super) PathBuf);

impl Root {
    /// Where an absolute path inside is for now.
    pub(super) fn at(&self, inside: &str) -> PathBuf {
        self.0.join(inside.trim_start_matches('/'))
    }

    pub(super) fn directory(&self, inside: &str) -> Result<()> {
        fs::create_dir_all(self.at(inside)).with_context(|| format!("make directory {inside}"))
    }

    pub(super) fn file(&self, inside: &str, content: &[u8]) -> Result<()> {
        self.directory_of(inside)?;
        fs::write(self.at(inside), content).with_context(|| format!("write {inside}"))
    }

    pub(super) fn link(&self, inside: &str, target: impl AsRef<Path>) -> Result<()> {
        self.directory_of(inside)?;
        std::os::unix::fs::symlink(target, self.at(inside)).with_context(|| format!("link {inside}"))
    }

    /// Shows a host file or directory, with all that is mounted below it: in a user namespace the kernel does not let
    /// one look below a mount.
    pub(super) fn show(&self, host: &Path, inside: &str, attributes: Attributes) -> Result<()> {
        let what = || format!("show {} at {inside}", host.display());
        if fs::metadata(host).with_context(what)?.is_dir() {
            self.directory(inside)?;
        } else if !self.at(inside).exists() {
            self.file(inside, b"")?;
        }
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = rustix::mount::open_tree(CWD, host, flags).with_context(what)?;
        set_attributes(tree.as_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, attributes.bits())
            .with_context(what)?;
        let empty = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(tree, c"", CWD, self.at(inside), empty).with_context(what)
    }

    /// Mounts a file system of the kernel's own.
    pub(super) fn kernel(&self, kind: &str, inside: &str, flags: MountFlags, options: &str) -> Result<()> {
        self.directory(inside)?;
        let options = CString::new(options).map_err(|_| anyhow!("mount options with a NUL"))?;
        rustix::mount::mount(kind, self.at(inside), kind, flags | MountFlags::NOSUID, &*options)
            .with_context(|| format!("mount {kind} at {inside}"))
    }

    fn directory_of(&self, inside: &str) -> Result<()> {
        match inside.rsplit_once('/') {
            Some((directory, _)) if !directory.is_empty() => self.directory(directory),
            _ => Ok(()),
        }
    }
}

/// Makes the mount at `/` read-only, and nothing that is mounted below it.
pub(super) fn seal_root() -> io::Result<()> {
    let root = File::from(rustix::fs::open("/", rustix::fs::OFlags::PATH, Mode::empty())?);
    set_attributes(root.as_fd(), c"", libc::AT_EMPTY_PATH, Attributes::ReadOnly.bits())
}

pub(super) fn set_attributes(at: BorrowedFd, path: &CStr, flags: i32, set: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: both pointers are valid for the call, and the size is that of what the second points at.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
