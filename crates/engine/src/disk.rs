//! Whether there is room on a disk for what others bring. The log of sessions may be on the same one.

use std::path::Path;

/// Left free, in bytes.
const LEFT_FREE: u64 = 1 << 30;

/// Whether there is room is asked again when so many bytes more have come.
pub(crate) const LOOK_AT_ROOM: u64 = 64 << 20;

/// Whether there is any on the disk of a folder. Where that cannot be asked, writing says.
pub(crate) fn has_room(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= LEFT_FREE)
}
