//! The guest as a file: one per release in the data directory, shown read-only in every sandbox.

use super::disk::private_dir;
use crate::error::SandboxError;
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where it is, once somebody needs it: two megabytes are nothing to write, or to compare, while people wait for the server to start.
#[derive(Debug)]
pub(super) struct GuestFile {
    data: PathBuf,
    guest: &'static [u8],
    file: Mutex<Option<PathBuf>>,
}

impl GuestFile {
    pub(super) fn new(data: PathBuf, guest: &'static [u8]) -> Self {
        Self { data, guest, file: Mutex::default() }
    }

    /// In place when this returns.
    pub(super) fn path(&self) -> Result<PathBuf, SandboxError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*file {
            return Ok(file.clone());
        }
        let installed = install(&self.data, self.guest);
        let installed = installed.map_err(|error| SandboxError::from_io("put the guest in place", error))?;
        Ok(file.insert(installed).clone())
    }
}

/// Puts the guest in place, named after what is in it. A running sandbox keeps the file that it was started with.
pub(in crate::providers) fn install(data: &Path, guest: &[u8]) -> io::Result<PathBuf> {
    let folder = data.join("guest");
    private_dir(&folder)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(guest);
    let file = folder.join(format!("{:016x}", hasher.finish()));
    if fs::read(&file).is_ok_and(|there| there == guest) {
        return Ok(file);
    }
    let new = folder.join(format!("new-{}", std::process::id()));
    fs::write(&new, guest)?;
    fs::set_permissions(&new, Permissions::from_mode(0o555))?;
    fs::rename(new, &file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_replaced() {
        let data = tempfile::tempdir().unwrap();
        let file = install(data.path(), b"guest").unwrap();
        fs::remove_file(&file).unwrap();
        fs::write(&file, "gue").unwrap();
        assert_eq!(install(data.path(), b"guest").unwrap(), file);
        assert_eq!(fs::read(&file).unwrap(), b"guest");
        assert_ne!(install(data.path(), b"another").unwrap(), file);
    }

    #[test]
    fn it_is_put_in_place_when_it_is_needed_and_trouble_does_not_last() {
        let data = tempfile::tempdir().unwrap();
        let guest = GuestFile::new(data.path().to_owned(), b"guest");
        let folder = data.path().join("guest");
        assert!(!folder.exists());
        fs::write(&folder, "in the way").unwrap();
        guest.path().unwrap_err();
        fs::remove_file(&folder).unwrap();
        let file = guest.path().unwrap();
        assert_eq!((fs::read(&file).unwrap(), guest.path().unwrap()), (b"guest".to_vec(), file));
    }
}
