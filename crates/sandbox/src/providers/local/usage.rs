//! What a session takes of the disk: its folder, the layers that were made of it, and what its processes hold open without a name.
//!
//! Trees are walked as `walk` tells.

use super::disk::{Sandboxes, SessionDir};
use super::processes::inside;
use super::record::Record;
use super::stack::{self, Names};
pub(super) use super::walk::Unwalked as Uncounted;
use super::walk::{self, Found};
use lamplight_domain::SessionId;
use rustix::fs::Stat;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::{Add, ControlFlow};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `st_blocks` is in these, whatever the file system's own are. Source: stat(3type).
const BLOCK: u64 = 512;

/// An amount on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) bytes: u64,
    /// With directories, links and all else that has an inode.
    pub(super) files: u64,
}

impl Use {
    pub(super) const NONE: Self = Self { bytes: 0, files: 0 };

    /// Whether there is more of either.
    pub(super) fn exceeds(self, limit: Self) -> bool {
        self.bytes > limit.bytes || self.files > limit.files
    }

    pub(super) fn each(self, other: Self, what: impl Fn(u64, u64) -> u64) -> Self {
        Self { bytes: what(self.bytes, other.bytes), files: what(self.files, other.files) }
    }

    pub(super) fn less(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    /// `parts` of 16.
    pub(super) fn sixteenths(self, parts: u64) -> Self {
        self.each(self, |whole, _| whole / 16 * parts)
    }
}

impl Add for Use {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }
}

/// What is known of layers that never change again.
pub(super) type Sizes = BTreeMap<String, Use>;

/// All that is a session's. Layers of others that it only stands on are theirs.
pub(super) fn of_session(
    sandboxes: &Sandboxes,
    id: &SessionId,
    record: &Record,
    sizes: &mut Sizes,
) -> Result<Use, Uncounted> {
    let session = sandboxes.session(id);
    let layers = of_layers(sandboxes, &session, id, sizes)?;
    Ok(layers + of_tree(&session.0)? + without_name(record))
}

/// A layer that a copy is being made into does not count yet: see `snapshot`, which looks whether there is room for it.
fn of_layers(
    sandboxes: &Sandboxes,
    session: &SessionDir,
    id: &SessionId,
    sizes: &mut Sizes,
) -> Result<Use, Uncounted> {
    let names = |names: anyhow::Result<Names>| names.map_err(io::Error::other);
    let copying = names(stack::read(&session.copying_file()).map(Option::unwrap_or_default))?;
    // What a checkpoint names is complete.
    let complete: BTreeSet<_> = names(stack::named_by_checkpoints(session))?.into_iter().collect();
    let all: BTreeSet<_> = names(stack::named(session))?.into_iter().collect();
    let mut taken = Use::NONE;
    for name in all.into_iter().filter(|name| name.starts_with(id.as_str()) && !copying.contains(name)) {
        let known = sizes.get(&name).copied();
        let size = match known {
            Some(size) => size,
            None => of_tree(&sandboxes.layers().join(&name))?,
        };
        if complete.contains(&name) {
            sizes.insert(name, size);
        }
        taken = taken + size;
    }
    Ok(taken)
}

/// Files that were removed, or never had a name, last as long as somebody has them open.
fn without_name(record: &Record) -> Use {
    /// Source: statfs(2). What is in memory is counted there.
    const TMPFS: i64 = 0x0102_1994;
    let (mut taken, mut counted) = (Use::NONE, BTreeSet::new());
    for process in inside(record) {
        let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok);
        for descriptor in open {
            let path = descriptor.path();
            // Follows to the file itself, whatever it is called. A process may end meanwhile.
            let Ok(what) = fs::metadata(&path) else { continue };
            if what.nlink() == 0
                && what.is_file()
                && counted.insert((what.dev(), what.ino()))
                && rustix::fs::statfs(&path).is_ok_and(|system| system.f_type != TMPFS)
            {
                taken = taken + Use { bytes: what.blocks() * BLOCK, files: 1 };
            }
        }
    }
    taken
}

/// What a tree takes, counting files with several names once. What is removed meanwhile does not count.
pub(super) fn of_tree(top: &Path) -> Result<Use, Uncounted> {
    let (mut taken, mut counted) = (Use::NONE, BTreeSet::new());
    let _to_the_end = walk::walk(walk::open(top)?, |Found { what, is_folder, .. }| {
        if is_folder || what.st_nlink == 1 || counted.insert((what.st_dev, what.st_ino)) {
            taken = taken + of_entry(what);
        }
        ControlFlow::Continue(())
    })?;
    Ok(taken)
}

fn of_entry(what: &Stat) -> Use {
    Use { bytes: what.st_blocks.cast_unsigned() * BLOCK, files: 1 }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{STEP, STEPS};
    use super::*;
    use rustix::fs::{Mode, OFlags};

    #[test]
    fn a_tree_is_as_large_as_what_is_in_it_alone() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("a/b")).unwrap();
        fs::write(tree.path().join("a/b/file"), vec![1; 1 << 16]).unwrap();
        fs::hard_link(tree.path().join("a/b/file"), tree.path().join("again")).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
        let Use { bytes, files } = of_tree(tree.path()).unwrap();
        assert!((1 << 16..1 << 18).contains(&bytes), "{bytes}");
        // Two directories, one file, one link.
        assert_eq!(files, 4);
    }

    #[test]
    fn what_is_deeper_than_any_path_counts() {
        let tree = tempfile::tempdir().unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut bottom = rustix::fs::open(tree.path(), flags, Mode::empty()).unwrap();
        let depth = 3000;
        for _ in 0..depth {
            rustix::fs::mkdirat(&bottom, c"deep", Mode::RWXU).unwrap();
            // A sibling that waits at every level.
            rustix::fs::mkdirat(&bottom, c"beside", Mode::RWXU).unwrap();
            bottom = rustix::fs::openat(&bottom, c"deep", flags, Mode::empty()).unwrap();
        }
        assert_eq!(of_tree(tree.path()).unwrap().files, depth * 2);
        super::super::disk::remove_tree(&tree.path().join("deep")).unwrap();
    }

    #[test]
    fn a_tree_without_a_bottom_is_told_as_such() {
        let tree = tempfile::tempdir().unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut bottom = rustix::fs::open(tree.path(), flags, Mode::empty()).unwrap();
        let name = "x".repeat(200);
        // Twice as many, as some have nothing beside them that waits: that depends on the order in which names are read.
        for level in 0..STEPS * 2 * (STEP / 200 + 1) {
            rustix::fs::mkdirat(&bottom, name.as_str(), Mode::RWXU).unwrap();
            rustix::fs::mkdirat(&bottom, level.to_string(), Mode::RWXU).unwrap();
            bottom = rustix::fs::openat(&bottom, name.as_str(), flags, Mode::empty()).unwrap();
        }
        let counted = of_tree(tree.path());
        super::super::disk::remove_tree(&tree.path().join(&name)).unwrap();
        assert!(matches!(counted, Err(Uncounted::Bottomless)), "{counted:?}");
    }
}
