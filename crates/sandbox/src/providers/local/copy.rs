//! Copies what a session changed, since a moment, out of the top of an overlay into a layer: files with all that belongs to them, the
//! overlay's own marks included, and a mark for everything that is there no longer.
//!
//! What is read was made by an agent: no link is followed, in the tree or in the layer.

use super::attributes;
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A moment as a file system writes it down: seconds and nanoseconds.
pub(super) type Moment = (i64, i64);

/// Directories and their inodes when a tree was last copied: one that is now another was moved here, whatever its files' times say.
pub(super) type Directories = BTreeMap<PathBuf, u64>;

/// One copy of one tree.
pub(super) struct Copy<'a> {
    /// The top of the overlay.
    pub(super) from: &'a Path,
    /// The tree in the layer. What an earlier round put there is brought up to date.
    pub(super) to: &'a Path,
    /// The same tree in the layers that were copied before, uppermost first; none, and everything is copied.
    pub(super) below: &'a [PathBuf],
    pub(super) since: Option<Moment>,
    pub(super) known: &'a Directories,
    /// Files that count as changed, whatever their times say.
    pub(super) mapped: &'a BTreeSet<PathBuf>,
    /// Whether nobody changes the tree meanwhile.
    pub(super) is_still: bool,
}

/// What a copy found.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) directories: Directories,
    /// Entries that were copied, or marked as gone.
    pub(super) changes: usize,
}

/// A directory was moved that belongs to the layers below: only a whole copy says that right.
#[derive(Debug, thiserror::Error)]
#[error("a directory of a layer was moved")]
pub(super) struct Moved;

impl Copy<'_> {
    pub(super) fn run(&self) -> Result<Copied> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = rustix::fs::open(self.from, flags, Mode::empty())
            .with_context(|| format!("open {}", self.from.display()))?;
        let mut walk =
            Walk { copy: self, copied: Copied::default(), made: BTreeSet::new(), links: HashMap::new() };
        walk.directory(&from, Path::new(""), self.since.is_none(), false)?;
        Ok(walk.copied)
    }
}

struct Walk<'a> {
    copy: &'a Copy<'a>,
    copied: Copied,
    /// Directories that are in the layer in this round.
    made: BTreeSet<PathBuf>,
    /// Where a file with several names was copied to.
    links: HashMap<u64, PathBuf>,
}

impl Walk<'_> {
    /// `whole`: whatever is in it is new here, however old it is. `forced`: that it changed is our doing.
    fn directory(&mut self, from: &OwnedFd, path: &Path, whole: bool, forced: bool) -> Result<()> {
        let stat = rustix::fs::fstat(from).with_context(|| format!("look at {}", path.display()))?;
        let known = self.copy.known.get(path).copied();
        let whole = whole || known != Some(stat.st_ino);
        self.copied.directories.insert(path.to_owned(), stat.st_ino);
        if whole && self.copy.since.is_some() && attributes::is_moved(from)? {
            return Err(Moved.into());
        }
        let changed = whole || is_since(&stat, self.copy.since);
        if whole {
            clear(&self.copy.to.join(path))?;
        }
        if changed {
            self.make(path)?;
            self.copied.changes += usize::from(self.copy.since.is_some() && !forced);
        }
        let mut names = BTreeSet::new();
        for entry in Dir::new(from.try_clone()?).with_context(|| format!("list {}", path.display()))? {
            let entry = entry.with_context(|| format!("list {}", path.display()))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let path = path.join(name);
            match self.entry(from.as_fd(), name, &path, entry.file_type(), whole) {
                // It went, or became another, while it was looked at. That is a change: another round sees what it is by then.
                Err(error) if !self.copy.is_still && is_in_motion(&error) => {
                    clear(&self.copy.to.join(path))?;
                    self.copied.changes += 1;
                    continue;
                }
                done => done.with_context(|| format!("copy {}", path.display()))?,
            }
            if changed {
                names.insert(name.to_owned());
            }
        }
        if changed && !(whole && attributes::is_opaque(from)?) {
            self.mark_gone(path, &names)?;
        }
        if self.made.contains(path) {
            // What is copied in part is on top of the copies before, whatever it hid when it was copied whole.
            attributes::copy(from.as_fd(), &stat, &self.copy.to.join(path), whole)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        at: BorrowedFd,
        name: &OsStr,
        path: &Path,
        kind: FileType,
        whole: bool,
    ) -> Result<()> {
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = Opened::directory(at, name, flags)?;
            let stat = self.directory(&directory.file, path, whole, directory.was.is_some());
            // What has been made of it in the layer is to be as it was, not as we opened it.
            if let Some(was) = directory.was
                && self.made.contains(path)
            {
                rustix::fs::chmod(self.copy.to.join(path), was)?;
            }
            return stat;
        }
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let changed = is_since(&stat, self.copy.since);
        if !whole && !changed && !self.copy.mapped.contains(path) {
            return Ok(());
        }
        self.make(path.parent().unwrap_or(Path::new("")))?;
        // That one which its owner closed has changed is our doing: see `Opened`.
        let is_closed =
            !Mode::from_raw_mode(stat.st_mode).contains(Mode::RUSR) && !rustix::process::geteuid().is_root();
        self.copied.changes += usize::from(changed && !is_closed);
        let to = self.copy.to.join(path);
        clear(&to)?;
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&stat.st_ino) {
                return Ok(fs::hard_link(first, &to)?);
            }
            self.links.insert(stat.st_ino, to.clone());
        }
        copy_entry(at, name, &stat, &to)
    }

    /// Makes the directory in the layer, and those above it; they get their rights when they are complete.
    fn make(&mut self, path: &Path) -> Result<()> {
        if self.made.contains(path) {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.make(above)?;
        }
        let to = self.copy.to.join(path);
        if !fs::symlink_metadata(&to).is_ok_and(|there| there.is_dir()) {
            clear(&to)?;
            rustix::fs::mkdir(&to, Mode::RWXU).with_context(|| format!("make {}", to.display()))?;
        }
        // An earlier round may have closed it already.
        rustix::fs::chmod(&to, Mode::RWXU)?;
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// What the layers below have in this directory and the tree has not, is marked in the layer; what an earlier round copied goes.
    fn mark_gone(&mut self, path: &Path, names: &BTreeSet<OsString>) -> Result<()> {
        let here = self.copy.to.join(path);
        for entry in fs::read_dir(&here)? {
            let entry = entry?;
            if !names.contains(&entry.file_name()) {
                clear(&entry.path())?;
                self.copied.changes += 1;
            }
        }
        for name in seen_below(self.copy.below, path)? {
            if !names.contains(&name) {
                rustix::fs::mknodat(CWD, here.join(&name), FileType::CharacterDevice, Mode::empty(), 0)
                    .with_context(|| format!("mark {} as gone", path.join(&name).display()))?;
                self.copied.changes += 1;
            }
        }
        Ok(())
    }
}

fn is_in_motion(error: &anyhow::Error) -> bool {
    let is = |errno: Errno| matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::INVAL);
    error.chain().find_map(super::launch::errno).is_some_and(|errno| is(Errno::from_raw_os_error(errno)))
}

fn is_since(stat: &Stat, since: Option<Moment>) -> bool {
    since.is_none_or(|since| (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)) >= since)
}

/// An entry that was opened: by force where its owner closed it and we are the owner and nothing more.
pub(in crate::providers) struct Opened {
    pub(in crate::providers) file: OwnedFd,
    /// The rights that it gets back.
    pub(in crate::providers) was: Option<Mode>,
}

impl Opened {
    pub(in crate::providers) fn directory(
        at: BorrowedFd,
        name: &OsStr,
        flags: OFlags,
    ) -> Result<Self, Errno> {
        // What is in it has to be reached too.
        let needed = Mode::RUSR | Mode::XUSR;
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_open = Mode::from_raw_mode(stat.st_mode).contains(needed);
        if is_open || rustix::process::geteuid().is_root() {
            return Ok(Self { file: rustix::fs::openat(at, name, flags, Mode::empty())?, was: None });
        }
        Self::by_force(at, name, flags, needed)
    }

    fn file(at: BorrowedFd, name: &OsStr, flags: OFlags) -> Result<Self, Errno> {
        match rustix::fs::openat(at, name, flags, Mode::empty()) {
            Err(Errno::ACCESS) => Self::by_force(at, name, flags, Mode::RUSR),
            file => Ok(Self { file: file?, was: None }),
        }
    }

    fn by_force(at: BorrowedFd, name: &OsStr, flags: OFlags, needed: Mode) -> Result<Self, Errno> {
        let itself = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = rustix::fs::openat(at, name, itself, Mode::empty())?;
        let was = Mode::from_raw_mode(rustix::fs::fstat(&path)?.st_mode);
        rustix::fs::chmod(attributes::path_of(path.as_fd()), was | needed)?;
        let file = rustix::fs::openat(at, name, flags, Mode::empty())?;
        Ok(Self { file, was: Some(was) })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(was) = self.was {
            // Best effort: it is a file of ours that we opened to ourselves.
            let _ = rustix::fs::fchmod(&self.file, was);
        }
    }
}

pub(in crate::providers) fn copy_entry(at: BorrowedFd, name: &OsStr, stat: &Stat, to: &Path) -> Result<()> {
    let mode = Mode::from_raw_mode(stat.st_mode);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = Opened::file(at, name, flags)?;
            let from = &opened.file;
            let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let copied = rustix::fs::open(to, new, Mode::RUSR | Mode::WUSR)?;
            copy_content(from, &copied)?;
            drop(copied);
            attributes::copy(from.as_fd(), stat, to, true)
        }
        FileType::Symlink => {
            rustix::fs::symlink(rustix::fs::readlinkat(at, name, Vec::new())?, to)?;
            attributes::copy_owner(stat, to)
        }
        kind @ (FileType::Fifo | FileType::Socket) => {
            rustix::fs::mknodat(CWD, to, kind, mode, 0)?;
            attributes::copy_owner(stat, to)
        }
        // Nobody inside can make a device; what looks like one is the overlay's mark for what is gone.
        FileType::CharacterDevice if stat.st_rdev == 0 => {
            Ok(rustix::fs::mknodat(CWD, to, FileType::CharacterDevice, Mode::empty(), 0)?)
        }
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Directory | FileType::Unknown => Ok(()),
    }
}

/// Shares the blocks where the file system can.
fn copy_content(from: &OwnedFd, to: &OwnedFd) -> Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    let (mut from, mut to) = (fs::File::from(from.try_clone()?), fs::File::from(to.try_clone()?));
    // In the kernel where it can be; a file that grows is copied as far as it is now.
    let length = from.metadata()?.len();
    std::io::copy(&mut Read::by_ref(&mut from).take(length), &mut to)?;
    to.flush()?;
    Ok(())
}

/// Removes whatever has this name in the layer.
fn clear(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => Ok(super::disk::remove_tree(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The names that layers, uppermost first, show in a directory.
fn seen_below(layers: &[PathBuf], path: &Path) -> Result<BTreeSet<OsString>> {
    let (mut seen, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    for layer in layers {
        let Found { directory, is_last } =
            find_in(layer, path).with_context(|| format!("look for {} in a layer", path.display()))?;
        for entry in directory.as_ref().map(Dir::read_from).transpose()?.into_iter().flatten() {
            let entry = entry?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            if name == "." || name == ".." || hidden.contains(&name) {
                continue;
            }
            if entry.file_type() == FileType::CharacterDevice {
                hidden.insert(name);
            } else {
                seen.insert(name);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(seen)
}

/// A directory of one layer, if it is there, and whether it, or what is in its place, hides all layers below.
struct Found {
    directory: Option<OwnedFd>,
    is_last: bool,
}

fn find_in(layer: &Path, path: &Path) -> Result<Found> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = match rustix::fs::open(layer, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Found { directory: None, is_last: false }),
        root => root?,
    };
    let mut is_last = false;
    for name in path {
        at = match rustix::fs::openat(&at, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Found { directory: None, is_last }),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Found { directory: None, is_last: true }),
            next => next?,
        };
        is_last |= attributes::is_opaque(&at)?;
    }
    Ok(Found { directory: Some(at), is_last })
}
