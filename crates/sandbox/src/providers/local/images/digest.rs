//! What an image is called by: a digest over all that its files are, however they came. Times are not among it, so that the same
//! files packed twice are the same image.

use super::compression::hex;
use super::tree::{beneath, names};
use anyhow::{Context, Result};
use lamplight_domain::ImageDigest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const CHUNK: usize = 128 * 1024;

/// What was found on the way.
pub(super) struct Found {
    pub(super) digest: ImageDigest,
    /// Of all files together, each name counted.
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

/// Reads a whole tree. `beside`: what else makes an image another one.
pub(super) fn of(tree: &Path, beside: &[u8]) -> Result<Found> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(tree, flags, Mode::empty()).context("open the image's files")?;
    let mut walk = Walk { root, hash: Sha256::new(), bytes: 0, entries: 0 };
    walk.field(beside);
    // Not by calling itself: a tree may be deeper than a stack.
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let below = walk.directory(&path).with_context(|| format!("read {}", path.display()))?;
        waiting.extend(below);
    }
    let digest = hex(&walk.hash.finalize()).parse().context("a digest")?;
    Ok(Found { digest, bytes: walk.bytes, entries: walk.entries })
}

struct Walk {
    root: OwnedFd,
    hash: Sha256,
    bytes: u64,
    entries: u64,
}

impl Walk {
    /// What lies in it, by name; the directories among it.
    fn directory(&mut self, path: &Path) -> Result<Vec<PathBuf>> {
        let directory = beneath(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        self.field(path.as_os_str().as_bytes());
        let mut below = Vec::new();
        for name in names(&directory)? {
            let there = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            self.entries += 1;
            self.field(name.as_bytes());
            for number in [there.st_mode, there.st_uid, there.st_gid] {
                self.hash.update(number.to_le_bytes());
            }
            match FileType::from_raw_mode(there.st_mode) {
                FileType::Directory => below.push(path.join(name)),
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(&directory, &name, Vec::new())?;
                    self.field(target.as_bytes());
                }
                _ => {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let file = rustix::fs::openat(&directory, &name, flags, Mode::empty())?;
                    self.content(File::from(file), there.st_size.cast_unsigned())?;
                }
            }
        }
        // So that no two trees say the same: a directory ends where this says how much was in it.
        self.hash.update(self.entries.to_le_bytes());
        Ok(below)
    }

    fn content(&mut self, mut file: File, size: u64) -> Result<()> {
        self.hash.update(size.to_le_bytes());
        let mut chunk = vec![0; CHUNK.min(usize::try_from(size)?.max(1))];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(&chunk[..read]);
            self.bytes += read as u64;
        }
    }

    /// With its length first, so that no two sequences of fields are the same bytes.
    fn field(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }
}
