//! What lies where in the data directory of a fake.
//!
//! ```text
//! <data>/guest/<hash>                        the guest
//! <data>/sandboxes/<session>/lock            held by whoever does anything with the session
//! <data>/sandboxes/<session>/newest          the highest generation that there ever was
//! <data>/sandboxes/<session>/had             the last generation that had the files; missing where a checkpoint brought them
//! <data>/sandboxes/<session>/files/          what stands for `/`: workspace, home, tmp, var, dev
//! <data>/sandboxes/<session>/files.restored  a whole copy that is to be the files; files.copying is a half one
//! <data>/sandboxes/<session>/checkpoints/<n> a copy of the files; <n>.copying is a half one
//! <data>/sandboxes/<session>/<generation>/   one sandbox: sandbox.json, link.sock, guest.log, spool/, held
//! ```

use super::record::Record;
use crate::providers::local::disk::{names, remove_tree, write_whole};
use crate::providers::lock::{lock_folder, make_and_lock_folder, remove_locked_folder};
use lamplight_domain::{Generation, SessionId};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder of all sandboxes.
#[derive(Debug, Clone)]
pub(super) struct Sandboxes(pub(super) PathBuf);

/// The folder of one session.
#[derive(Debug, Clone)]
pub(super) struct SessionDir(pub(super) PathBuf);

/// The folder of one sandbox; it is also the mark of what runs in it (see `processes`).
#[derive(Debug, Clone)]
pub(super) struct GenerationDir(pub(super) PathBuf);

impl Sandboxes {
    pub(super) fn session(&self, session: &SessionId) -> SessionDir {
        SessionDir(self.0.join(session.as_str()))
    }

    pub(super) fn sessions(&self) -> io::Result<Vec<SessionId>> {
        Ok(names(&self.0)?.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

impl SessionDir {
    pub(super) fn generation(&self, generation: Generation) -> GenerationDir {
        GenerationDir(self.0.join(generation.to_string()))
    }

    pub(super) fn generations(&self) -> io::Result<Vec<Generation>> {
        let mut found: Vec<_> =
            names(&self.0)?.iter().filter_map(|name| name.parse().ok()).map(Generation).collect();
        found.sort();
        Ok(found)
    }

    /// The highest generation that there ever was; those before it do not come back.
    pub(super) fn newest(&self) -> io::Result<Generation> {
        Ok(self.number("newest")?.unwrap_or(Generation(0)))
    }

    /// The last generation that had the files; `None` where a checkpoint brought them.
    pub(super) fn had(&self) -> io::Result<Option<Generation>> {
        self.number("had")
    }

    /// It is made, and has the files.
    pub(super) fn set_newest(&self, generation: Generation) -> io::Result<()> {
        let number = generation.to_string();
        ["newest", "had"].into_iter().try_for_each(|name| write_whole(&self.0.join(name), number.as_bytes()))
    }

    /// Whoever had the files, they are others now.
    pub(super) fn forget_had(&self) -> io::Result<()> {
        match fs::remove_file(self.0.join("had")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn number(&self, name: &str) -> io::Result<Option<Generation>> {
        match fs::read_to_string(self.0.join(name)) {
            Ok(text) => Ok(text.trim().parse().ok().map(Generation)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// Where files are copied to that will be the session's once they are [`Self::restored`].
    pub(super) fn copying(&self) -> PathBuf {
        self.0.join("files.copying")
    }

    pub(super) fn restored(&self) -> PathBuf {
        self.0.join("files.restored")
    }

    /// Ends what somebody began who was killed. The caller has the session's lock, and nothing of it runs.
    pub(super) fn settle(&self) -> io::Result<()> {
        remove_tree(&self.copying())?;
        if self.restored().exists() {
            remove_tree(&self.files())?;
            fs::rename(self.restored(), self.files())?;
        }
        Ok(())
    }

    pub(super) fn checkpoint(&self, number: u32) -> PathBuf {
        self.checkpoints_dir().join(number.to_string())
    }

    pub(super) fn checkpoints_dir(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// Oldest first.
    pub(super) fn checkpoints(&self) -> io::Result<Vec<u32>> {
        let mut found: Vec<_> =
            names(&self.checkpoints_dir())?.iter().filter_map(|name| name.parse().ok()).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Waits until nobody else does anything with the session. `None` when there is no such session.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        match lock_folder(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            lock => lock.map(Some),
        }
    }

    pub(super) fn make_and_lock(&self) -> io::Result<File> {
        make_and_lock_folder(&self.0)
    }

    /// Removes the folder. The caller has the lock.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove_locked_folder(&self.0)
    }
}

impl GenerationDir {
    /// Relative to the folder: a socket's address is at most 107 bytes.
    pub(super) const SOCKET: &str = "link.sock";

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    pub(super) fn guest_log(&self) -> PathBuf {
        self.0.join("guest.log")
    }

    /// There while somebody copies the files of what runs, or was killed over it.
    pub(super) fn held_mark(&self) -> PathBuf {
        self.0.join("held")
    }

    /// `None` when it never came to run, or what was written down is torn.
    pub(super) fn record(&self) -> io::Result<Option<Record>> {
        match fs::read(self.0.join("sandbox.json")) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn write_record(&self, record: &Record) -> io::Result<()> {
        write_whole(&self.0.join("sandbox.json"), &serde_json::to_vec(record)?)
    }
}
