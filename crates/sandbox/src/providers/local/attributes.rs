//! What belongs to a file beside its content: owner, rights, times, extended attributes, and among these the marks that overlays leave.
//! Source: the kernel's overlayfs page.

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Bytes of all names, and of one value. Source: xattr(7).
const NAMES: usize = 64 * 1024;

/// Where overlays leave their marks: root's, and an ordinary user's.
const MARKS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// The marks that mean something in another place too.
const LASTING: [&[u8]; 2] = [b"opaque", b"redirect"];

/// Gives a copy all that belongs to the original; the overlay's marks only if it `hides` what is below, as the original does.
pub(in crate::providers) fn copy(from: BorrowedFd, stat: &Stat, to: &Path, hides: bool) -> Result<()> {
    for name in names(from)? {
        if is_kept(name.as_bytes(), hides) {
            let mut value = vec![0; NAMES];
            match rustix::fs::fgetxattr(from, &*name, &mut *value) {
                Ok(length) => {
                    rustix::fs::lsetxattr(to, &*name, &value[..length], XattrFlags::empty())
                        .with_context(|| format!("set {} of {}", name.to_string_lossy(), to.display()))?;
                }
                Err(Errno::NODATA) => {}
                Err(error) => return Err(error).with_context(|| format!("read {}", name.to_string_lossy())),
            }
        }
    }
    copy_owner(stat, to)
}

/// Without extended attributes, for what has none or cannot be opened.
pub(super) fn copy_owner(stat: &Stat, to: &Path) -> Result<()> {
    let what = || format!("give {} its owner, rights and times", to.display());
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let there = rustix::fs::lstat(to).with_context(what)?;
    if (there.st_uid, there.st_gid) != (stat.st_uid, stat.st_gid) {
        rustix::fs::chownat(CWD, to, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .with_context(what)?;
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        // After the owner, which takes set-user-id away.
        rustix::fs::chmod(to, Mode::from_raw_mode(stat.st_mode)).with_context(what)?;
    }
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW).with_context(what)
}

/// Whether a directory shows nothing of the layers below.
pub(super) fn is_opaque(directory: impl AsFd) -> Result<bool> {
    has_mark(directory.as_fd(), b"opaque")
}

/// Whether a directory shows one of another name of the layers below.
pub(super) fn is_moved(directory: impl AsFd) -> Result<bool> {
    has_mark(directory.as_fd(), b"redirect")
}

/// For calls that know paths only. The descriptor has to stay open.
pub(super) fn path_of(descriptor: BorrowedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

fn has_mark(file: BorrowedFd, mark: &[u8]) -> Result<bool> {
    let names = names(file)?;
    Ok(names.iter().any(|name| MARKS.iter().any(|marks| name.as_bytes().strip_prefix(*marks) == Some(mark))))
}

fn is_kept(name: &[u8], hides: bool) -> bool {
    match MARKS.iter().find_map(|marks| name.strip_prefix(*marks)) {
        Some(mark) => hides && LASTING.contains(&mark),
        None => true,
    }
}

fn names(file: BorrowedFd) -> Result<Vec<CString>> {
    // Most files have few or none.
    let mut few = [0_u8; 512];
    let mut all = Vec::new();
    let bytes = match rustix::fs::flistxattr(file, &mut few[..]) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            all.resize(NAMES, 0);
            let length = rustix::fs::flistxattr(file, &mut all[..]).context("list extended attributes")?;
            &all[..length]
        }
        length => &few[..length.context("list extended attributes")?],
    };
    let (mut names, mut rest) = (Vec::new(), bytes);
    while let Ok(name) = CStr::from_bytes_until_nul(rest) {
        rest = &rest[name.to_bytes_with_nul().len()..];
        names.push(name.to_owned());
    }
    Ok(names)
}
