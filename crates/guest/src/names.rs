//! What is done to files and folders by their names, for the host.

use crate::agent::Hand;
use crate::folder;
use crate::guest::{failed, refusal};
use lamplight_wire::{Code, Refusal, Reply};
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Of folders that are made; what of it the umask takes is not there.
const FOLDER_MODE: u32 = 0o755;

/// What there is of a name.
pub(crate) fn stat(hand: Hand, path: &str) -> Result<Reply, Refusal> {
    let place = Path::new(path);
    let name = place.file_name().unwrap_or(OsStr::new("/"));
    hand.touch(|| {
        let entry = folder::entry(place, name).map_err(|error| failed(path, &error))?;
        let real = std::fs::canonicalize(place).ok();
        Ok(Reply::Entry { entry, real: real.and_then(|real| real.to_str().map(str::to_owned)) })
    })
}

pub(crate) fn make_folder(hand: Hand, path: &str) -> Result<(), Refusal> {
    let place = Path::new(path);
    hand.touch(|| {
        if let Ok(there) = std::fs::metadata(place) {
            // What is in the way is another mistake than what is made already.
            let code = if there.is_dir() { Code::Exists } else { Code::Unreadable };
            let what = if there.is_dir() { "exists already" } else { "is there, and is no folder" };
            return Err(refusal(code, format!("{path} {what}")));
        }
        make(place).map_err(|error| failed(format!("make {path}"), &error))
    })
}

pub(crate) fn rename(hand: Hand, from: &str, to: &str) -> Result<(), Refusal> {
    let about = |error: io::Error| failed(format!("rename {from} to {to}"), &error);
    hand.touch(|| {
        std::fs::symlink_metadata(from).map_err(about)?;
        if let Some(above) = Path::new(to).parent() {
            make(above).map_err(about)?;
        }
        std::fs::rename(from, to).map_err(about)
    })
}

pub(crate) fn remove(hand: Hand, path: &str) -> Result<(), Refusal> {
    hand.touch(|| {
        let removed = std::fs::symlink_metadata(path).and_then(|there| {
            if there.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
        });
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| failed(format!("remove {path}"), &error)),
        }
    })
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}
