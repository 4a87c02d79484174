//! Everything below a directory that an agent has made, and may change meanwhile: no link of its making is followed, no other file
//! system is entered, and no path is longer than the kernel takes, however deep the tree.

use super::attributes::path_of;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A longer path goes on from a directory in its middle. Half of what the kernel takes, as a name is at most 255 bytes.
pub(super) const STEP: usize = 2048;

/// Such directories that are open at a time. No program makes a tree that needs more, unless that is what it wants.
pub(super) const STEPS: usize = 64;

/// Why it was not walked to the end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwalked {
    #[error("its directories are deeper than anybody needs")]
    Bottomless,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One entry of a directory.
pub(super) struct Found<'a> {
    pub(super) directory: &'a OwnedFd,
    pub(super) name: &'a CStr,
    pub(super) what: &'a Stat,
    pub(super) is_folder: bool,
    /// Of the directory, for people: from the top, or from somewhere deep below it.
    pub(super) folder: &'a Path,
}

/// The top of a tree.
pub(super) fn open(top: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, top, flags, Mode::empty())?)
}

/// Shows every entry once for each of its names, until `each` breaks. What is removed meanwhile is left out.
pub(super) fn walk(
    top: OwnedFd,
    mut each: impl FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Unwalked> {
    let mut steps: Vec<Rc<OwnedFd>> = Vec::new();
    let mut folders = vec![(Rc::new(top), PathBuf::from("."))];
    while let Some((from, folder)) = folders.pop() {
        let Ok(Opened { directory, was }) = Opened::beneath(&from, &folder) else { continue };
        let directory = Rc::new(directory);
        let (base, path) = if folder.as_os_str().len() > STEP {
            // Those that nothing waits for any more are closed.
            steps.retain(|step| Rc::strong_count(step) > 1);
            if steps.len() == STEPS {
                return Err(Unwalked::Bottomless);
            }
            steps.push(Rc::clone(&directory));
            (Rc::clone(&directory), PathBuf::from("."))
        } else {
            (from, folder)
        };
        let mut flow = ControlFlow::Continue(());
        for entry in Dir::read_from(&directory).map_err(io::Error::from)?.filter_map(Result::ok) {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(what) = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_folder = FileType::from_raw_mode(what.st_mode) == FileType::Directory;
            if is_folder {
                folders.push((Rc::clone(&base), path.join(OsStr::from_bytes(name.to_bytes()))));
            }
            flow = each(Found { directory: &directory, name, what: &what, is_folder, folder: &path });
            if flow.is_break() {
                break;
            }
        }
        if let Some(was) = was {
            let _ = rustix::fs::fchmod(&directory, was);
        }
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A directory, opened by force where its owner closed it and we are the owner and nothing more.
struct Opened {
    directory: OwnedFd,
    /// The rights that it gets back.
    was: Option<Mode>,
}

impl Opened {
    fn beneath(from: &OwnedFd, path: &Path) -> Result<Self, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |more: OFlags| rustix::fs::openat2(from, path, flags | more, Mode::empty(), resolve);
        match open(OFlags::RDONLY) {
            Err(Errno::ACCESS) => {}
            opened => return Ok(Self { directory: opened?, was: None }),
        }
        let itself = open(OFlags::PATH)?;
        let was = Mode::from_raw_mode(rustix::fs::fstat(&itself)?.st_mode);
        rustix::fs::chmod(path_of(itself.as_fd()), was | Mode::RUSR | Mode::XUSR)?;
        let directory = rustix::fs::openat(&itself, c".", flags | OFlags::RDONLY, Mode::empty())?;
        Ok(Self { directory, was: Some(was) })
    }
}
