//! What lies where in the data directory.
//!
//! ```text
//! <data>/guest/<hash>                        the guest, read-only, one per release
//! <data>/sandboxes/<session>/lock            held by whoever creates or destroys
//! <data>/sandboxes/<session>/uid             root only: the host user that this session's agent is
//! <data>/sandboxes/<session>/files/…         all that a session can write; outlives its sandboxes
//! <data>/sandboxes/<session>/<generation>/   one sandbox: sandbox.json, link.sock, egress.sock, guest.log, spool/, root/
//! ```

use super::record::Record;
use lamplight_domain::{Generation, SessionId};
use rustix::fs::FlockOperation;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
        self.0.join("files")
    }

    pub(super) fn uid_file(&self) -> PathBuf {
        self.0.join("uid")
    }

    /// Waits until nobody else creates or destroys in this session. Whoever holds it is bounded by
    /// [`LAUNCH_SECONDS`](super::launch::LAUNCH_SECONDS) or by the removal of files.
    pub(super) fn lock(&self) -> io::Result<File> {
        let lock = File::options().create(true).append(true).open(self.0.join("lock"))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
        Ok(lock)
    }
}

impl GenerationDir {
    pub(super) fn record_file(&self) -> PathBuf {
        self.0.join("sandbox.json")
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

    /// Where the sandbox's root is put together, in its own mount namespace; empty seen from here.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// What was written down about the sandbox; `None` when it never came to run.
    pub(super) fn record(&self) -> io::Result<Option<Record>> {
        match fs::read(self.record_file()) {
            // It is put in place whole: only a power cut can leave it torn, and that ended the sandbox too.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All or nothing, and never a torn file.
    pub(super) fn write_record(&self, record: &Record) -> io::Result<()> {
        let new = self.0.join("sandbox.json.new");
        fs::write(&new, serde_json::to_vec(record)?)?;
        fs::rename(new, self.record_file())
    }
}

/// Creates a directory that only we can enter; it may be there already.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a tree that an agent filled, following no link, and opening directories that it closed to us. No process
/// of that agent runs any more. What is gone already is fine.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        done => return done,
    }
    open_directories(path)?;
    fs::remove_dir_all(path)
}

/// Gives us every right on every directory of a tree. Depth is bounded by the longest path that the kernel resolves.
fn open_directories(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_directories(&entry.path())?;
        }
    }
    Ok(())
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
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
}
