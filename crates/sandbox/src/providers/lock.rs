//! Locks of folders that whoever has the lock may remove.

use super::local::disk::{names, private_dir, remove_tree};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Waits for the lock of a folder that whoever had it before may have removed, and somebody else made anew.
pub(super) fn lock_folder(folder: &Path) -> io::Result<File> {
    loop {
        let lock = lock(&folder.join("lock"))?;
        if rustix::fs::fstat(&lock)?.st_nlink > 0 {
            return Ok(lock);
        }
    }
}

pub(super) fn make_and_lock_folder(folder: &Path) -> io::Result<File> {
    loop {
        private_dir(folder)?;
        match lock_folder(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            lock => return lock,
        }
    }
}

/// The lock goes last: up to then everybody else waits, and then finds an empty folder or none.
pub(super) fn remove_locked_folder(folder: &Path) -> io::Result<()> {
    for name in names(folder)?.iter().filter(|name| *name != "lock") {
        let path = folder.join(name);
        if fs::symlink_metadata(&path)?.is_dir() { remove_tree(&path)? } else { fs::remove_file(&path)? }
    }
    fs::remove_file(folder.join("lock"))?;
    match fs::remove_dir(folder) {
        // Somebody begins anew.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

pub(super) fn lock(file: &Path) -> io::Result<File> {
    let lock = File::options().create(true).append(true).open(file)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
    Ok(lock)
}

/// `None` while somebody else has it.
pub(super) fn try_lock(file: &Path) -> io::Result<Option<File>> {
    let lock = File::options().create(true).append(true).open(file)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(None),
        got => got.map(|()| Some(lock)).map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_lock_that_is_removed_does_not_get_it() {
        let here = tempfile::tempdir().unwrap();
        let session = here.path().join("session");
        let first = make_and_lock_folder(&session).unwrap();
        let (waiting, file) = (session.clone(), session.join("lock"));
        let waiting = std::thread::spawn(move || lock_folder(&waiting));
        let opened = || {
            let all = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
            all.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == file)).count()
        };
        while opened() < 2 {
            std::thread::yield_now();
        }
        remove_locked_folder(&session).unwrap();
        drop(first);
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::NotFound);
        drop(make_and_lock_folder(&session).unwrap());
    }
}
