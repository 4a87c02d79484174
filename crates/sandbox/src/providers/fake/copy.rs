//! Copies the files of a session, whole. What is read was made by whoever runs inside: no link is followed.

use super::places::KEPT;
use crate::error::{ErrorKind, SandboxError};
use crate::providers::local::attributes;
use crate::providers::local::copy::{Opened, copy_entry};
use anyhow::{Context, Result, bail};
use rustix::fs::{AtFlags, CWD, Dir, FileType, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directories in each other; more are refused.
const DEPTH: usize = 200;

/// Where files that have more than one name were copied to, by device and number.
type Named = HashMap<(u64, u64), PathBuf>;

/// Copies what a session keeps from one folder, that stands for `/`, to another, that is there and empty.
pub(super) fn files(from: &Path, to: &Path) -> Result<()> {
    let mut named = Named::new();
    for place in KEPT {
        let source = from.join(place);
        let what = || format!("copy /{place}");
        directory(CWD, source.as_os_str(), &to.join(place), DEPTH, &mut named).with_context(what)?;
    }
    Ok(())
}

fn directory(at: BorrowedFd, name: &OsStr, to: &Path, depth: usize, named: &mut Named) -> Result<()> {
    if depth == 0 {
        bail!(SandboxError::new(ErrorKind::Invalid, format!("directories are deeper than {DEPTH}")));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match Opened::directory(at, name, flags) {
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let message = format!("{} is no directory, and would lead out", name.display());
            bail!(SandboxError::new(ErrorKind::Invalid, message));
        }
        opened => opened.with_context(|| format!("open {}", name.display()))?,
    };
    let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    fs::create_dir(to)?;
    for entry in Dir::read_from(&opened.file)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let there = rustix::fs::statat(&opened.file, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let to = to.join(name);
        if FileType::from_raw_mode(there.st_mode) == FileType::Directory {
            directory(opened.file.as_fd(), name, &to, depth - 1, named)?;
            continue;
        }
        let number = (there.st_dev, there.st_ino);
        match named.get(&number).filter(|_| there.st_nlink > 1) {
            Some(first) => fs::hard_link(first, &to)?,
            None => {
                let what = || format!("copy {}", name.display());
                copy_entry(opened.file.as_fd(), name, &there, &to).with_context(what)?;
                named.insert(number, to);
            }
        }
    }
    attributes::copy(opened.file.as_fd(), &restored(&opened, stat), to, false)
}

/// One that was opened by force has, for now, other rights than it is to have.
fn restored(opened: &Opened, mut stat: rustix::fs::Stat) -> rustix::fs::Stat {
    if let Some(was) = opened.was {
        stat.st_mode = stat.st_mode & !0o7777 | was.as_raw_mode() & 0o7777;
    }
    stat
}
