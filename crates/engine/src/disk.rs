//! Whether there is room on a disk: for what others bring, and for anything at all. The log of sessions may be on the same one.

use crate::engine::Engine;
use std::path::Path;

/// Left free, in bytes.
const LEFT_FREE: u64 = 1 << 30;

/// Whether there is room is asked again when so many bytes more have come.
pub(crate) const LOOK_AT_ROOM: u64 = 64 << 20;

/// With less than this nothing is recorded any more, or will not be in a moment; bytes.
const NEEDED: u64 = 1 << 20;

impl Engine {
    /// Whether the disk with the data directory is full.
    pub fn is_disk_full(&self) -> bool {
        free(&self.shared.config.data_dir) < NEEDED
    }
}

/// Whether there is any on the disk of a folder.
pub(crate) fn has_room(folder: &Path) -> bool {
    room(folder) > 0
}

/// How much there is on the disk of a folder, in bytes.
pub(crate) fn room(folder: &Path) -> u64 {
    free(folder).saturating_sub(LEFT_FREE)
}

/// Where that cannot be asked, writing says.
fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
