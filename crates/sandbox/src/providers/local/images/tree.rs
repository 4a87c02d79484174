//! The files of an image while it is unpacked. What comes is not trusted: every path is resolved by the kernel below the tree and
//! through no symbolic link (`openat2`), so that nothing is ever written, linked to or removed outside.
//!
//! Owners and permissions are kept as root; to an ordinary user everything is its own, and open to it. Devices, pipes and sockets are
//! not made, and extended attributes are not kept. The set-user-id bit stays and means nothing: images are shown `nosuid`.

use super::super::disk::remove_tree;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid,
};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Who owns what came without saying whose it is, and what belongs to a number that no session has.
const ROOT: u64 = 0;
const NOBODY: u32 = 65_534;

/// Users of a session: numbers from here on are nobody's inside.
const USERS: u64 = 65_536;

const CHUNK: usize = 128 * 1024;

/// What an image may be at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of all files together, unpacked, counting what a later layer replaces.
    pub(super) bytes: u64,
    /// Files, directories and links, counted alike.
    pub(super) entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 4_000_000 }
    }
}

/// What is known of an entry beside its path and content.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// Permissions, as in chmod(2).
    pub(super) mode: u32,
    pub(super) user: u64,
    pub(super) group: u64,
    /// Seconds since 1970.
    pub(super) modified: i64,
}

impl About {
    /// Of a directory that nothing was said of.
    const UNSAID: Self = Self { mode: 0o755, user: ROOT, group: ROOT, modified: 0 };
}

/// A tree that is being filled. Paths are relative to its top, as [`plain`] gives them.
pub(super) struct Tree {
    root: OwnedFd,
    has_owners: bool,
    left: Bounds,
    /// Set at the end, as a directory has to be open to us until then.
    directories: BTreeMap<PathBuf, About>,
    /// The directory that was last written in.
    last: Option<(PathBuf, OwnedFd)>,
    /// How many devices, pipes and the like were left out.
    pub(super) left_out: u64,
}

impl Tree {
    /// At an empty directory that nobody else can write in. `has_owners`: whether files keep their owners.
    pub(super) fn at(directory: &Path, has_owners: bool, bounds: Bounds) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty()).context("open the image's folder")?;
        let directories = BTreeMap::from([(PathBuf::new(), About::UNSAID)]);
        Ok(Self { root, has_owners, left: bounds, directories, last: None, left_out: 0 })
    }

    /// One that is there keeps what is in it.
    pub(super) fn directory(&mut self, path: &Path, about: About) -> Result<()> {
        self.count()?;
        if !path.as_os_str().is_empty() {
            let (above, name) = self.place(path)?;
            match kind(&above, name)? {
                Some(FileType::Directory) => {}
                Some(_) => rustix::fs::unlinkat(&above, name, AtFlags::empty())?,
                None => {}
            }
            make_directory(&above, name)?;
        }
        self.directories.insert(path.to_owned(), about);
        Ok(())
    }

    /// Exactly `size` bytes are read.
    pub(super) fn file(
        &mut self,
        path: &Path,
        about: About,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<()> {
        self.count()?;
        let (above, name) = self.clear(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&above, name, flags, Mode::RUSR | Mode::WUSR)?);
        let read = self.copy(content, &mut file)?;
        ensure!(read == size, "it ends after {read} of {size} bytes");
        self.settle(&file, about, 0o400)
    }

    /// Wherever it leads: it is followed inside a sandbox only.
    pub(super) fn symlink(&mut self, path: &Path, about: About, target: &OsStr) -> Result<()> {
        self.count()?;
        let (above, name) = self.clear(path)?;
        rustix::fs::symlinkat(target, &above, name)?;
        if self.has_owners {
            let (user, group) = owners(about);
            rustix::fs::chownat(&above, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(rustix::fs::utimensat(&above, name, &times(about), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// A second name of what is in the tree already.
    pub(super) fn hard_link(&mut self, path: &Path, to: &Path) -> Result<()> {
        self.count()?;
        if path == to {
            return Ok(());
        }
        let (there, target) = self.existing(to).with_context(|| format!("find {}", to.display()))?;
        let what = kind(&there, target)?;
        ensure!(what.is_some_and(|kind| kind != FileType::Directory), "{} is no file of it", to.display());
        let (above, name) = self.clear(path)?;
        Ok(rustix::fs::linkat(&there, target, &above, name, AtFlags::empty())?)
    }

    /// With all that is in it; what is not there is fine.
    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        match self.existing(path) {
            Ok((above, name)) => self.remove_at(&above, name, path),
            Err(error) if error.downcast_ref() == Some(&Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what is in a directory, but for these paths.
    pub(super) fn empty(&mut self, path: &Path, kept: &HashSet<PathBuf>) -> Result<()> {
        let Some(names) = self.list(path)? else { return Ok(()) };
        for name in names {
            let inner = path.join(&name);
            if !kept.contains(&inner) {
                self.remove(&inner)?;
            } else if kind(self.open(path)?, &name)? == Some(FileType::Directory) {
                self.empty(&inner, kept)?;
            }
        }
        Ok(())
    }

    /// Counts what is left out.
    pub(super) fn leave_out(&mut self) -> Result<()> {
        self.left_out += 1;
        self.count()
    }

    /// Reads what nobody wants; it counts for the size.
    pub(super) fn read_over(&mut self, content: &mut dyn Read) -> Result<()> {
        self.copy(content, &mut std::io::sink()).map(drop)
    }

    /// Gives the directories their owners and permissions. The end.
    pub(super) fn finish(mut self) -> Result<()> {
        self.last = None;
        // Backwards, what is in a directory comes before it.
        for (path, about) in std::mem::take(&mut self.directories).into_iter().rev() {
            match self.open(&path) {
                Ok(directory) => self.settle(&directory, about, 0o700)?,
                // Another entry took its place later.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        self.left.entries = self.left.entries.checked_sub(1).context("it has too many files")?;
        Ok(())
    }

    fn copy(&mut self, from: &mut dyn Read, to: &mut dyn Write) -> Result<u64> {
        let (mut chunk, mut total) = (vec![0; CHUNK], 0_u64);
        loop {
            let read = match from.read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                return Ok(total);
            }
            self.left.bytes = self.left.bytes.checked_sub(read as u64).context("it is too large")?;
            to.write_all(&chunk[..read])?;
            total += read as u64;
        }
    }

    /// `open`: what an ordinary user has to be able to do with it.
    fn settle(&self, file: impl AsFd, about: About, open: u32) -> Result<()> {
        let mode = if self.has_owners {
            let (user, group) = owners(about);
            rustix::fs::fchown(&file, Some(user), Some(group))?;
            about.mode
        } else {
            about.mode | open
        };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(rustix::fs::futimens(&file, &times(about))?)
    }

    /// The directory that holds `path`, made if it is not there, and the last name.
    fn place<'p>(&mut self, path: &'p Path) -> Result<(OwnedFd, &'p OsStr)> {
        let (above, name) = split(path)?;
        if let Some((last, directory)) = &self.last
            && last == above
        {
            return Ok((directory.try_clone()?, name));
        }
        let directory = match self.open(above) {
            Err(error) if error.downcast_ref() == Some(&Errno::NOENT) => {
                let (further, own) = self.place(above)?;
                make_directory(&further, own)?;
                self.directories.entry(above.to_owned()).or_insert(About::UNSAID);
                self.open(above)?
            }
            directory => directory?,
        };
        self.last = Some((above.to_owned(), directory.try_clone()?));
        Ok((directory, name))
    }

    fn existing<'p>(&self, path: &'p Path) -> Result<(OwnedFd, &'p OsStr)> {
        let (above, name) = split(path)?;
        Ok((self.open(above)?, name))
    }

    /// A place where nothing is.
    fn clear<'p>(&mut self, path: &'p Path) -> Result<(OwnedFd, &'p OsStr)> {
        let (above, name) = self.place(path)?;
        self.remove_at(&above, name, path)?;
        Ok((above, name))
    }

    fn remove_at(&mut self, above: &OwnedFd, name: &OsStr, path: &Path) -> Result<()> {
        match kind(above, name)? {
            None => Ok(()),
            Some(FileType::Directory) => {
                self.last = None;
                self.directories.retain(|directory, _| !directory.starts_with(path));
                Ok(remove_tree(&Path::new(&format!("/proc/self/fd/{}", above.as_raw_fd())).join(name))?)
            }
            Some(_) => Ok(rustix::fs::unlinkat(above, name, AtFlags::empty())?),
        }
    }

    fn open(&self, path: &Path) -> Result<OwnedFd> {
        beneath(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The names in a directory; `None` where there is no such directory.
    fn list(&self, path: &Path) -> Result<Option<Vec<OsString>>> {
        match self.open(path) {
            Err(error) if is_absent(&error) => Ok(None),
            directory => Ok(Some(names(&directory?)?)),
        }
    }
}

/// Opens what is below a directory, through no symbolic link.
pub(super) fn beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
        Err(Errno::LOOP) => bail!("{} is reached through a symbolic link", path.display()),
        Err(Errno::NOTDIR) => bail!("{} is reached through a file", path.display()),
        opened => Ok(opened?),
    }
}

/// The names in a directory, sorted.
pub(super) fn names(directory: &OwnedFd) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A path as it may stand in an archive, without `.` in it: relative, and never upwards. Empty is the top itself.
pub(super) fn plain(path: &OsStr) -> Result<PathBuf> {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                bail!("{:?} leads out of the image", path)
            }
        }
    }
    Ok(plain)
}

fn split(path: &Path) -> Result<(&Path, &OsStr)> {
    match (path.parent(), path.file_name()) {
        (Some(above), Some(name)) => Ok((above, name)),
        _ => bail!("{:?} is no place for a file", path),
    }
}

fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Errno>().is_none_or(|errno| *errno == Errno::NOENT)
}

fn make_directory(above: &OwnedFd, name: &OsStr) -> Result<()> {
    match rustix::fs::mkdirat(above, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn kind(above: impl AsFd, name: &OsStr) -> Result<Option<FileType>> {
    match rustix::fs::statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => Ok(Some(FileType::from_raw_mode(there.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn owners(about: About) -> (Uid, Gid) {
    let within = |number: u64| if number < USERS { u32::try_from(number).unwrap_or(NOBODY) } else { NOBODY };
    (Uid::from_raw(within(about.user)), Gid::from_raw(within(about.group)))
}

fn times(about: About) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: about.modified, tv_nsec: 0 },
    }
}
