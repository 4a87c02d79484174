//! The guest as a file: one per release in the data directory, shown read-only in every sandbox.

use super::disk::private_dir;
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
}
