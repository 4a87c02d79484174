//! A directory of this machine becomes an image: what is on its own file system, without what is mounted in it.

use super::tree::{About, Tree, beneath, names};
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Copies all of it but `images`, the store's own folder, which may be in it.
pub(super) fn copy(from: &Path, images: &Path, tree: &mut Tree) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(from, flags, Mode::empty()).context("open it")?;
    let top = rustix::fs::fstat(&root)?;
    let images = rustix::fs::stat(images).context("look at the folder of images")?;
    tree.directory(Path::new(""), about(&top))?;
    let mut copy =
        Copy { root, device: top.st_dev, skipped: (images.st_dev, images.st_ino), links: BTreeMap::new() };
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        waiting.extend(copy.directory(&path, tree)?);
    }
    Ok(())
}

struct Copy {
    root: OwnedFd,
    device: u64,
    /// Device and inode.
    skipped: (u64, u64),
    /// Files with more than one name: by inode, the first that was seen.
    links: BTreeMap<u64, PathBuf>,
}

impl Copy {
    fn directory(&mut self, path: &Path, tree: &mut Tree) -> Result<Vec<PathBuf>> {
        let directory = beneath(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut below = Vec::new();
        for name in names(&directory)? {
            let inner = path.join(&name);
            let what = || format!("copy {}", inner.display());
            let there =
                rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW).with_context(what)?;
            if FileType::from_raw_mode(there.st_mode) != FileType::Directory {
                self.entry(&directory, &name, &there, &inner, tree).with_context(what)?;
            } else if (there.st_dev, there.st_ino) != self.skipped {
                tree.directory(&inner, about(&there)).with_context(what)?;
                if there.st_dev == self.device {
                    below.push(inner);
                }
            }
        }
        Ok(below)
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        there: &Stat,
        path: &Path,
        tree: &mut Tree,
    ) -> Result<()> {
        match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile => {
                if there.st_nlink > 1 {
                    if let Some(first) = self.links.get(&there.st_ino) {
                        return tree.hard_link(path, first);
                    }
                    self.links.insert(there.st_ino, path.to_owned());
                }
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
                tree.file(path, about(there), there.st_size.cast_unsigned(), &mut file)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
                tree.symlink(path, about(there), OsStr::from_bytes(target.as_bytes()))
            }
            _ => tree.leave_out(),
        }
    }
}

fn about(there: &Stat) -> About {
    About {
        mode: there.st_mode & 0o7777,
        user: there.st_uid.into(),
        group: there.st_gid.into(),
        modified: there.st_mtime,
    }
}
