//! The few mount calls that we use. All of them need `CAP_SYS_ADMIN` over the mount namespace, which root has, and
//! an ordinary user has in a user namespace of its own.

use anyhow::{Context, Result, anyhow};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

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

    pub(super) fn set(self, tree: BorrowedFd, and_below: bool) -> io::Result<()> {
        let below = if and_below { libc::AT_RECURSIVE } else { 0 };
        set_attributes(tree, below, self.bits(), 0)
    }

    /// Shows the files of a mount that is nowhere yet as belonging to whom the user namespace maps their owners to.
    pub(super) fn set_with_owners(self, tree: BorrowedFd, users: BorrowedFd) -> io::Result<()> {
        let users = u64::from(users.as_raw_fd().cast_unsigned());
        set_attributes(tree, 0, self.bits() | libc::MOUNT_ATTR_IDMAP, users)
    }
}

/// The root of a sandbox while it is put together. Paths inside are absolute, as the sandbox will see them.
///
/// What is in it may have been put there by an agent of an earlier generation: no link in it is ever followed. Where something else
/// is in the way of a directory that we need, it goes.
pub(super) struct Root(pub(super) PathBuf);

/// What a path inside is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
}

impl Root {
    /// Makes the directory, and those above it, unless they are there.
    pub(super) fn directory(&self, inside: &str) -> Result<OwnedFd> {
        self.open(inside, Kind::Directory)
    }

    pub(super) fn set_mode(&self, inside: &str, mode: u32) -> Result<()> {
        let at = self.directory(inside)?;
        rustix::fs::chmod(by_descriptor(&at), Mode::from_raw_mode(mode))
            .with_context(|| format!("set permissions of {inside}"))
    }

    pub(super) fn give(&self, inside: &str, owner: u32) -> Result<()> {
        let (user, group) = (rustix::fs::Uid::from_raw(owner), rustix::fs::Gid::from_raw(owner));
        let at = self.directory(inside)?;
        rustix::fs::chownat(&at, c"", Some(user), Some(group), AtFlags::EMPTY_PATH)
            .with_context(|| format!("give {inside} to user {owner}"))
    }

    /// Makes the directory with these rights and this owner; one that is there is left as it is.
    pub(super) fn ensure(&self, inside: &str, mode: u32, owner: u32) -> Result<()> {
        let (above, name) = inside.rsplit_once('/').with_context(|| format!("{inside} is not absolute"))?;
        match rustix::fs::mkdirat(self.directory(above)?, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                self.set_mode(inside, mode)?;
                self.give(inside, owner)
            }
            Err(Errno::EXIST) => self.directory(inside).map(drop),
            Err(error) => Err(error).with_context(|| format!("make {inside}")),
        }
    }

    /// In a directory that is new.
    pub(super) fn file(&self, inside: &str, content: &[u8]) -> Result<()> {
        let file = self.open(inside, Kind::File)?;
        std::fs::write(by_descriptor(&file), content).with_context(|| format!("write {inside}"))
    }

    /// In a directory that is new.
    pub(super) fn link(&self, inside: &str, target: &str) -> Result<()> {
        let (above, name) = inside.rsplit_once('/').with_context(|| format!("{inside} is not absolute"))?;
        let above = self.directory(above)?;
        rustix::fs::symlinkat(target, above, name).with_context(|| format!("link {inside}"))
    }

    /// Shows a host file or directory, with all that is mounted below it: in a user namespace the kernel does not let
    /// one look below a mount.
    pub(super) fn show(&self, host: &Path, inside: &str, attributes: Attributes) -> Result<()> {
        let what = || format!("show {} at {inside}", host.display());
        let is_directory = std::fs::metadata(host).with_context(what)?.is_dir();
        let at = self.open(inside, if is_directory { Kind::Directory } else { Kind::File })?;
        let tree = clone_tree(host, true).with_context(what)?;
        attributes.set(tree.as_fd(), true).with_context(what)?;
        let empty = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        rustix::mount::move_mount(tree, c"", at, c"", empty).with_context(what)
    }

    /// Makes a directory a mount of its own, so that what is around it can be closed to writing.
    pub(super) fn set_apart(&self, inside: &str) -> Result<()> {
        let at = self.directory(inside)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let whole = OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = rustix::mount::open_tree(&at, c"", flags | whole).context("take it as it is")?;
        let empty = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        rustix::mount::move_mount(tree, c"", at, c"", empty).context("put it in its own place")
    }

    /// Mounts a file system of the kernel's own.
    pub(super) fn kernel(&self, kind: &str, inside: &str, flags: MountFlags, options: &str) -> Result<()> {
        let at = self.directory(inside)?;
        let options = CString::new(options).map_err(|_| anyhow!("mount options with a NUL"))?;
        rustix::mount::mount(kind, by_descriptor(&at), kind, flags | MountFlags::NOSUID, &*options)
            .with_context(|| format!("mount {kind} at {inside}"))
    }

    /// Where a directory inside is for now, whatever is mounted there later.
    pub(super) fn place(&self, inside: &str) -> Result<(OwnedFd, PathBuf)> {
        let at = self.directory(inside)?;
        let path = by_descriptor(&at);
        Ok((at, path))
    }

    fn open(&self, inside: &str, kind: Kind) -> Result<OwnedFd> {
        let what = || format!("make {inside}");
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(&self.0, directory, Mode::empty()).with_context(what)?;
        let mut names = Path::new(inside).components().filter_map(|part| match part {
            Component::Normal(name) => Some(Ok(name)),
            Component::RootDir => None,
            _ => Some(Err(anyhow!("{inside} is not plain"))),
        });
        let mut next = names.next().transpose()?;
        while let Some(name) = next {
            next = names.next().transpose()?;
            let is_last = next.is_none();
            at = step(at.as_fd(), name, if is_last { kind } else { Kind::Directory }).with_context(what)?;
        }
        Ok(at)
    }
}

/// One step down, making what is missing and removing what is of another kind.
fn step(at: BorrowedFd, name: &OsStr, kind: Kind) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (flags, mode) = match kind {
        Kind::Directory => (flags | OFlags::DIRECTORY, Mode::from_raw_mode(0o755)),
        Kind::File => (flags, Mode::from_raw_mode(0o644)),
    };
    let make = || match kind {
        Kind::Directory => rustix::fs::mkdirat(at, name, mode),
        Kind::File => {
            let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(at, name, new, mode).map(drop)
        }
    };
    match rustix::fs::openat(at, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => make()?,
        Err(Errno::NOTDIR | Errno::LOOP) => {
            rustix::fs::unlinkat(at, name, AtFlags::empty())?;
            make()?;
        }
        Ok(there) if kind == Kind::File && !is_regular(&there)? => {
            rustix::fs::unlinkat(at, name, AtFlags::empty())?;
            make()?;
        }
        there => return there,
    }
    rustix::fs::openat(at, name, flags, Mode::empty())
}

fn is_regular(file: &OwnedFd) -> Result<bool, Errno> {
    let mode = rustix::fs::fstat(file)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::RegularFile)
}

/// For calls that know paths only. The descriptor has to stay open.
fn by_descriptor(descriptor: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

/// A mount of a directory or file, nowhere yet.
pub(super) fn clone_tree(host: &Path, and_below: bool) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let flags = if and_below { flags | OpenTreeFlags::AT_RECURSIVE } else { flags };
    Ok(rustix::mount::open_tree(CWD, host, flags)?)
}

pub(super) fn attach(tree: BorrowedFd, at: &Path) -> io::Result<()> {
    Ok(rustix::mount::move_mount(tree, c"", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

fn set_attributes(at: BorrowedFd, flags: i32, set: u64, users: u64) -> io::Result<()> {
    const ITSELF: &CStr = c"";
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: users };
    // SAFETY: both pointers are valid for the call, and the size is that of what the second points at.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            ITSELF.as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_an_agent_put_in_the_way_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let within = Root(root.path().into());
        within.directory("/link/a/b").unwrap();
        within.directory("/file/a").unwrap();
        within.set_mode("/link/a", 0o700).unwrap();
        assert!(root.path().join("link/a/b").is_dir() && root.path().join("file/a").is_dir());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

        std::os::unix::fs::symlink("/etc/passwd", root.path().join("tool")).unwrap();
        within.open("/tool", Kind::File).unwrap();
        assert!(fs::symlink_metadata(root.path().join("tool")).unwrap().is_file());
        assert!(within.directory("/a/../../b").is_err());
    }
}
