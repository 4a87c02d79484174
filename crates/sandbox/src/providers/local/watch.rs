//! The disk limit, where no file system of the session's own holds it: looked at every few seconds, and so called soft.
//!
//! ```text
//!  within ──more than the limit──▶ full: no file of any process inside may grow (EFBIG); deleting and reading go on
//!     ▲                             │
//!     └────────── within again ─────┘ ── a quarter over the limit, and growing ──▶ ended; its files stay
//! ```
//! A file system's own count tells how much was written at all, which bounds what a session can have written: its files
//! are walked only when that could have brought it to its limit.

use super::disk::Sandboxes;
use super::record::Record;
use lamplight_domain::SessionId;
use lamplight_domain::sandbox::Wall;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// Looks after which files are walked whatever the file system says: somebody else may have freed what a session wrote.
const FORGET: u32 = 12;

/// Ended at this many quarters of the limit: nothing inside can have got there by mistake.
const END_QUARTERS: u64 = 5;

/// Kept in the sandbox's folder while it is over its limit; what it holds is how often that happened.
pub(super) const FULL: &str = "disk-full";

/// Looks for as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(sandboxes: Sandboxes) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("disk-watch".into())
            .spawn(move || watch(&sandboxes, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It panics for nobody to see; there is nothing to be done about it here.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn watch(sandboxes: &Sandboxes, stopped: &Receiver<()>) {
    let mut known = BTreeMap::new();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
        if let Err(error) = look(sandboxes, &mut known) {
            tracing::warn!(%error, "the disk use of sandboxes could not be looked at");
        }
    }
}

/// What is remembered of a session from one look to the next.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    bytes: u64,
    /// What the file system said was in use then.
    of_file_system: u64,
    looks: u32,
}

fn look(sandboxes: &Sandboxes, known: &mut BTreeMap<SessionId, Known>) -> io::Result<()> {
    let in_use = used(&sandboxes.0)?;
    let sessions: BTreeSet<SessionId> = sandboxes.sessions()?.into_iter().collect();
    known.retain(|session, _| sessions.contains(session));
    for session in sessions {
        let folder = sandboxes.session(&session);
        let Some(generation) = folder.generations()?.pop() else { continue };
        let here = folder.generation(generation);
        let Some(record) = here.record()?.filter(|record| record.ready) else { continue };
        let Some(limit) = limit(&record) else { continue };
        if !record.runs()? {
            continue;
        }
        let before = known.entry(session).or_default();
        before.looks += 1;
        let written = in_use.saturating_sub(before.of_file_system);
        if before.looks % FORGET != 1 && before.bytes <= limit && before.bytes + written <= limit {
            continue;
        }
        // What an agent deletes meanwhile is not there; that is all that can go wrong on the way.
        let bytes = size(&folder.files()).unwrap_or(before.bytes);
        // What was there at the first look may be an earlier sandbox's doing, which this one is to put right.
        let grew = before.looks > 1 && bytes > before.bytes;
        *before = Known { bytes, of_file_system: in_use, ..*before };
        judge(&record, &here.0.join(FULL), Use { bytes, limit, grew })?;
    }
    Ok(())
}

fn limit(record: &Record) -> Option<u64> {
    record.enforced.as_ref()?.0.iter().find(|row| row.wall == Wall::Disk)?.limit
}

#[derive(Debug, Clone, Copy)]
struct Use {
    bytes: u64,
    limit: u64,
    /// Since the look before.
    grew: bool,
}

fn judge(record: &Record, full: &Path, Use { bytes, limit, grew }: Use) -> io::Result<()> {
    let was_full = fs::read_to_string(full).ok();
    match (bytes > limit, &was_full) {
        (false, None) => Ok(()),
        (false, Some(text)) if text.ends_with('\n') => Ok(()),
        (false, Some(text)) => {
            let_grow(record, limit, limit);
            fs::write(full, format!("{text}\n"))
        }
        (true, _) if grew && bytes > limit / 4 * END_QUARTERS => {
            mark(full, was_full.as_deref())?;
            record.end()
        }
        (true, _) => {
            let_grow(record, 0, limit);
            mark(full, was_full.as_deref())
        }
    }
}

/// Counts one more time, unless it is full already.
fn mark(full: &Path, before: Option<&str>) -> io::Result<()> {
    let times: u64 = match before {
        Some(text) if !text.ends_with('\n') => return Ok(()),
        Some(text) => text.trim().parse().unwrap_or(0),
        None => 0,
    };
    fs::write(full, (times + 1).to_string())
}

/// How often a sandbox was over its limit.
pub(super) fn times_full(here: &Path) -> u64 {
    fs::read_to_string(here.join(FULL)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Sets how large the files of every process in a sandbox may become, but of PID 1, whose own are bounded. The hard limit
/// stays what it is, so that the other can be raised again without any right.
fn let_grow(record: &Record, bytes: u64, limit: u64) {
    let first = record.process.pid();
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let ours = namespace(first);
    // Parents before their children, so that what is started meanwhile has inherited it.
    let mut families = vec![first];
    while let Some(parent) = families.pop() {
        for child in children(parent) {
            // A number may be somebody else's by now.
            if ours.is_some() && namespace(child) == ours {
                let to = Rlimit { current: Some(bytes), maximum: Some(limit) };
                let _ = prlimit(Pid::from_raw(child), Resource::Fsize, to);
                families.push(child);
            }
        }
    }
}

/// Source: proc_tid_children(5).
fn children(parent: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().filter_map(Result::ok);
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    listed
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// What a file system says is in use.
fn used(at: &Path) -> io::Result<u64> {
    let all = rustix::fs::statvfs(at)?;
    Ok(all.f_blocks.saturating_sub(all.f_bfree).saturating_mul(all.f_frsize))
}

/// What a tree takes on disk, counting files with several names once. An agent changes it meanwhile: no link of its making is
/// followed.
fn size(top: &Path) -> io::Result<u64> {
    /// `st_blocks` is in these, whatever the file system's own are. Source: stat(3type).
    const BLOCK: u64 = 512;
    let top = rustix::fs::open(top, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let (mut bytes, mut counted) = (0, BTreeSet::new());
    let mut folders = vec![PathBuf::from(".")];
    while let Some(folder) = folders.pop() {
        let Ok(open) = rustix::fs::openat2(&top, &folder, flags, Mode::empty(), resolve) else { continue };
        for entry in Dir::read_from(&open)?.filter_map(Result::ok) {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(what) = rustix::fs::statat(&open, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_folder = FileType::from_raw_mode(what.st_mode) == FileType::Directory;
            if what.st_nlink > 1 && !is_folder && !counted.insert((what.st_dev, what.st_ino)) {
                continue;
            }
            bytes += what.st_blocks.cast_unsigned() * BLOCK;
            if is_folder {
                folders.push(folder.join(OsStr::from_bytes(name.to_bytes())));
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_as_large_as_what_is_in_it_alone() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let tree = tempfile::tempdir().unwrap();
        let empty = size(tree.path()).unwrap();
        fs::create_dir_all(tree.path().join("a/b")).unwrap();
        fs::write(tree.path().join("a/b/file"), vec![1; 1 << 16]).unwrap();
        fs::hard_link(tree.path().join("a/b/file"), tree.path().join("again")).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
        let grown = size(tree.path()).unwrap() - empty;
        assert!((1 << 16..1 << 18).contains(&grown), "{grown}");
    }

    #[test]
    fn being_full_is_counted_once_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join(FULL);
        let mark_now = || mark(&full, fs::read_to_string(&full).ok().as_deref()).unwrap();
        assert_eq!(times_full(folder.path()), 0);
        mark_now();
        mark_now();
        assert_eq!(times_full(folder.path()), 1);
        fs::write(&full, "1\n").unwrap();
        mark_now();
        assert_eq!(times_full(folder.path()), 2);
    }
}
