//! What lies where in the data directory.
//!
//! ```text
//! <data>/guest/<hash>                        the guest, read-only, one per release
//! <data>/base/<mark>/                        what every root begins with (see `base`)
//! <data>/images/                             what else a root can begin with (see `images`)
//! <data>/ids/<range>                         root only: which session has these host users
//! <data>/layers/<layer>/<tree>/…             files that nobody changes, shared by whoever names the layer (see `stack`)
//! <data>/volumes/, <data>/blank/             where a session's files and layers are that has a file system of its own (see `volume`)
//! <data>/sandboxes/<session>/lock            held by whoever creates or destroys
//! <data>/sandboxes/<session>/ids             root only: the host users of this session
//! <data>/sandboxes/<session>/image           the image that its files are on, if it is one
//! <data>/sandboxes/<session>/stack           the layers below its files
//! <data>/sandboxes/<session>/had             the last generation that had its files; missing where a checkpoint brought them
//! <data>/sandboxes/<session>/checkpoints/<n> the layers of a checkpoint
//! <data>/sandboxes/<session>/files/<tree>/…  all that the session changed since; outlives its sandboxes
//! <data>/sandboxes/<session>/scratch/<tree>/ the kernel's, beside that
//! <data>/sandboxes/<session>/<generation>/   one sandbox: begun.json, sandbox.json, link.sock, egress.sock, guest.log, spool/, root/
//! ```

use super::record::Record;
use crate::providers::lock;
use lamplight_domain::{Generation, SessionId};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Entries of a directory that are held at a time while a tree is removed.
const AT_ONCE: usize = 1024;

/// The folder of all sandboxes of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Sandboxes(pub(super) PathBuf);

/// The folder of one session.
#[derive(Debug, Clone)]
pub(super) struct SessionDir(pub(super) PathBuf);

/// The folder of one sandbox.
#[derive(Debug, Clone)]
pub(super) struct GenerationDir(pub(super) PathBuf);

impl Sandboxes {
    pub(super) fn session(&self, session: &SessionId) -> SessionDir {
        SessionDir(self.0.join(session.as_str()))
    }

    /// Which session has which host users.
    pub(super) fn ids(&self) -> PathBuf {
        self.beside("ids")
    }

    pub(super) fn bases(&self) -> PathBuf {
        self.beside("base")
    }

    pub(super) fn layers(&self) -> PathBuf {
        self.beside("layers")
    }

    pub(super) fn images(&self) -> PathBuf {
        self.beside("images")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.0.with_file_name(name)
    }

    /// The sessions that have a folder.
    pub(super) fn sessions(&self) -> io::Result<Vec<SessionId>> {
        Ok(names(&self.0)?.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

impl SessionDir {
    pub(super) fn generation(&self, generation: Generation) -> GenerationDir {
        GenerationDir(self.0.join(generation.to_string()))
    }

    /// The generations that have a folder, oldest first.
    pub(super) fn generations(&self) -> io::Result<Vec<Generation>> {
        let mut found: Vec<_> =
            names(&self.0)?.iter().filter_map(|name| name.parse().ok()).map(Generation).collect();
        found.sort();
        Ok(found)
    }

    pub(super) fn files(&self) -> PathBuf {
        self.top().join("files")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.top().join("scratch")
    }

    pub(super) fn ids_file(&self) -> PathBuf {
        self.0.join("ids")
    }

    /// The image that its files are on; not there where they are on the machine's own.
    pub(super) fn image_file(&self) -> PathBuf {
        self.0.join("image")
    }

    pub(super) fn stack_file(&self) -> PathBuf {
        self.0.join("stack")
    }

    /// That of a restore that was begun: it will be the stack.
    pub(super) fn new_stack_file(&self) -> PathBuf {
        self.0.join("stack.restored")
    }

    /// The last generation that had the files.
    pub(super) fn had_file(&self) -> PathBuf {
        self.0.join("had")
    }

    /// What copies there are of the files as they are.
    pub(super) fn copies_file(&self) -> PathBuf {
        self.0.join("copies")
    }

    /// The layer into which somebody copies.
    pub(super) fn copying_file(&self) -> PathBuf {
        self.0.join("copying")
    }

    /// The session's files are all there is, as this machine stacks nothing.
    pub(super) fn alone_mark(&self) -> PathBuf {
        self.0.join("alone")
    }

    /// Files that were replaced, on their way out.
    pub(super) fn old_files(&self) -> PathBuf {
        self.top().join("replaced")
    }

    pub(super) fn checkpoints_dir(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The layers of a checkpoint.
    pub(super) fn checkpoint_file(&self, number: u32) -> PathBuf {
        self.checkpoints_dir().join(number.to_string())
    }

    /// The checkpoints there are, oldest first.
    pub(super) fn checkpoints(&self) -> io::Result<Vec<u32>> {
        let mut found: Vec<_> =
            names(&self.checkpoints_dir())?.iter().filter_map(|name| name.parse().ok()).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Waits until nobody else creates or destroys in this session. Whoever holds it is bounded by
    /// [`LAUNCH_SECONDS`](super::launch::LAUNCH_SECONDS) or by the removal of files.
    pub(super) fn lock(&self) -> io::Result<File> {
        lock::lock_folder(&self.0)
    }

    /// Makes the folder first, where it is missing.
    pub(super) fn make_and_lock(&self) -> io::Result<File> {
        lock::make_and_lock_folder(&self.0)
    }

    /// Removes the folder. The caller has the lock.
    pub(super) fn remove(&self) -> io::Result<()> {
        lock::remove_locked_folder(&self.0)
    }
}

impl GenerationDir {
    pub(super) fn record_file(&self) -> PathBuf {
        self.0.join("sandbox.json")
    }

    /// What is known of one that cannot be used yet.
    fn begun_file(&self) -> PathBuf {
        self.0.join("begun.json")
    }

    /// Relative to the folder: a socket's address is at most 107 bytes, the folder's path may be longer.
    pub(super) const SOCKET: &str = "link.sock";
    /// Where the guest hands out the sockets of its network; see `network`.
    pub(super) const EGRESS: &str = "egress.sock";

    pub(super) fn guest_log(&self) -> PathBuf {
        self.0.join("guest.log")
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// Where the sandbox's root is put together, and its layers, in its own mount namespace; empty seen from here.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// What was written down about the sandbox; `None` when it never came to run.
    pub(super) fn record(&self) -> io::Result<Option<Record>> {
        for file in [self.record_file(), self.begun_file()] {
            match fs::read(file) {
                // It is put in place whole: only a power cut can leave it torn, and that ended the sandbox too.
                Ok(bytes) => return Ok(serde_json::from_slice(&bytes).ok()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// All or nothing, and never a torn file. What is written first is not replaced by what is written when the sandbox can be used:
    /// ext4 writes a file to disk at once that takes another's place, and whoever removes it waits for that.
    pub(super) fn write_record(&self, record: &Record) -> io::Result<()> {
        let file = if record.ready { self.record_file() } else { self.begun_file() };
        write_whole(&file, &serde_json::to_vec(record)?)
    }

    /// Waits until nobody else lets the sandbox stand still, or go on: whoever does is bounded by [`wait_for`](super::cgroup::wait_for), or by
    /// the copy of what changed in an instant.
    pub(super) fn lock_freezer(&self) -> io::Result<File> {
        lock::lock(&self.0.join("freezer.lock"))
    }

    /// Somebody holds this sandbox still, or held it when they were killed.
    pub(super) fn held_mark(&self) -> PathBuf {
        self.0.join("held")
    }
}

/// All or nothing, and never a torn file.
pub(in crate::providers) fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, content)?;
    fs::rename(new, file)
}

/// Creates a directory that only we can enter; it may be there already.
pub(in crate::providers) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a tree that an agent filled, following no link, and opening directories that it closed to us. No process
/// of that agent runs any more. What is gone already is fine.
///
/// The tree may be deeper than any path that the kernel takes and any stack that we have. So nothing here calls itself:
/// directories are moved up to the top one after the other, and removed there.
pub(in crate::providers) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        what => what?,
    };
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    let top = open_directory(CWD, path)?;
    let mut moved = 0;
    loop {
        let entries = some_entries(&top)?;
        if entries.is_empty() {
            break;
        }
        for (name, kind) in entries {
            if kind == FileType::Directory {
                lift(&top, &name, &mut moved)?;
            } else {
                rustix::fs::unlinkat(&top, &name, AtFlags::empty())?;
            }
        }
    }
    fs::remove_dir(path)
}

/// Removes a directory in `top`; those that are in it are in `top` afterwards, under names that nothing there had.
fn lift(top: &OwnedFd, name: &CStr, moved: &mut u64) -> io::Result<()> {
    open_to_us(top, name)?;
    let directory = open_directory(top, name)?;
    loop {
        let entries = some_entries(&directory)?;
        if entries.is_empty() {
            return Ok(rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR)?);
        }
        for (inner, kind) in entries {
            if kind != FileType::Directory {
                rustix::fs::unlinkat(&directory, &inner, AtFlags::empty())?;
                continue;
            }
            // Its entry for the one above it changes, which needs the right to write in it.
            open_to_us(&directory, &inner)?;
            loop {
                *moved += 1;
                let new = format!(".lifted-{moved}");
                match rustix::fs::renameat_with(&directory, &inner, top, new, RenameFlags::NOREPLACE) {
                    Err(Errno::EXIST) => {}
                    done => break done?,
                }
            }
        }
    }
}

/// Gives us every right on a directory.
fn open_to_us(parent: &OwnedFd, name: &CStr) -> io::Result<()> {
    Ok(rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?)
}

fn open_directory(parent: impl AsFd, name: impl Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// At most [`AT_ONCE`] of what is in it; nothing only when it is empty.
fn some_entries(directory: &OwnedFd) -> io::Result<Vec<(CString, FileType)>> {
    let mut some = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let what = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(what.st_mode)
            }
            known => known,
        };
        some.push((name.to_owned(), kind));
        if some.len() == AT_ONCE {
            break;
        }
    }
    Ok(some)
}

/// None of what is no directory: somebody put something in its place, and there is nothing of ours.
pub(in crate::providers) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_closed_by_its_owner_is_removed_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "kept").unwrap();
        let here = tempfile::tempdir().unwrap();
        let tree = here.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.join("link")).unwrap();
        fs::set_permissions(tree.join("a/b"), Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(tree.join("a"), Permissions::from_mode(0o000)).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.path().join("kept").exists());
        remove_tree(&tree).unwrap();
    }

    #[test]
    fn a_tree_is_removed_however_deep_or_wide_it_is() {
        const DEPTH: usize = 8000;
        let here = tempfile::tempdir().unwrap();
        let tree = here.path().join("tree");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join(".lifted-1"), "a name that is wanted").unwrap();
        for n in 0..AT_ONCE + 1 {
            fs::create_dir(tree.join(n.to_string())).unwrap();
        }
        let mut bottom = open_directory(CWD, &tree).unwrap();
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&bottom, c"deep", Mode::RWXU).unwrap();
            bottom = open_directory(&bottom, c"deep").unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
