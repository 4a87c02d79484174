//! What several rooms do with files.

use crate::attempt::{Stop, Tried};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Opens it and reads its first bytes. What is empty is looked at again for a while: the kernel tells the stack of nobody who is running.
pub(super) fn read(path: impl AsRef<Path>) -> Tried {
    const LOOKS: usize = 100;
    for _ in 0..LOOKS {
        let mut start = [0; 64];
        let length = open(path.as_ref(), OpenOptions::new().read(true))?.read(&mut start)?;
        if length > 0 {
            return Ok(format!("read {length} bytes"));
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(Stop::Nothing("it is empty".into()))
}

/// Opens it for reading, and no more: reading it would change something.
pub(super) fn readable(path: impl AsRef<Path>) -> Tried {
    open(path.as_ref(), OpenOptions::new().read(true))?;
    Ok("opened for reading".into())
}

/// Opens it for writing, and does not write.
pub(super) fn writable(path: impl AsRef<Path>) -> Tried {
    open(path.as_ref(), OpenOptions::new().write(true))?;
    Ok("opened for writing".into())
}

/// Makes a file where there is none.
pub(super) fn make(path: impl AsRef<Path>) -> Tried {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    Ok("made a file".into())
}

fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Everything below a directory, links not followed, as far as it can be seen; at most `most`.
pub(super) fn below(directory: &Path, most: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if found.len() == most {
                return found;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}
