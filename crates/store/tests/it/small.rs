//! A small disk, which can be filled and emptied.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A file system of its own, gone with this.
pub(crate) struct Small(TempDir);

impl Small {
    /// Of this size, such as `8m`. `None` where this process may not mount.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "small"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        println!("skipped: mounting a small file system needs root");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all space but for about `left` bytes.
    pub(crate) fn fill(&self, left: u64) {
        let path = self.0.path().join("ballast");
        let mut ballast = std::fs::File::create(&path).unwrap();
        while std::io::Write::write_all(&mut ballast, &[0; 1 << 16]).is_ok() {}
        let size = ballast.metadata().unwrap().len();
        ballast.set_len(size.saturating_sub(left)).unwrap();
    }

    pub(crate) fn give_back(&self) {
        std::fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status().unwrap();
        assert!(unmounted.success() || std::thread::panicking());
    }
}
