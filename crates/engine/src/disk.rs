//! Whether there is room on a disk for what others bring. The log of sessions may be on the same one.

use std::path::Path;

/// Left free, in bytes.
const LEFT_FREE: u64 = 1 << 30;

/// Whether there is room is asked again when so many bytes more have come.
pub(crate) const LOOK_AT_ROOM: u64 = 64 << 20;

/// Whether there is any on the disk of a folder.
pub(crate) fn has_room(folder: &Path) -> bool {
    room(folder) > 0
}

/// How much there is on the disk of a folder, in bytes. Where that cannot be asked, writing says.
pub(crate) fn room(folder: &Path) -> u64 {
    let free = |disk: rustix::fs::StatVfs| disk.f_bavail.saturating_mul(disk.f_frsize);
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| free(disk).saturating_sub(LEFT_FREE))
}
