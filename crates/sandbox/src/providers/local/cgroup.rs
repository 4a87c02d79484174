//! A cgroup (v2) per sandbox, where this machine lets us make one: killed as a whole, and the place for limits.
//!
//! Without one, ending PID 1 still ends everything in its namespace, so version 1 hierarchies are not used to kill:
//! entering them costs 8 ms after a pause (reference: a grace period of the kernel's) and gives nothing more.

use lamplight_domain::{Generation, SessionId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Access;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

/// How often the parent is made again that vanishes with the last sandbox of somebody else.
const TRIES: u32 = 100;

/// From asking something of a cgroup's processes (to end, to stand still) to its being so, each time that an event tells of it.
const EVENT: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Makes the cgroup of a sandbox; `None` when this machine gives us no place for it.
pub(super) fn create(session: &SessionId, generation: Generation) -> io::Result<Option<PathBuf>> {
    let Some(parent) = place()? else { return Ok(None) };
    let path = parent.join(name(session, generation));
    for _ in 0..TRIES {
        let _ = fs::create_dir(&parent);
        match fs::create_dir(&path) {
            // The parent goes with its last child, maybe just now.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return usable(path),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => return Ok(None),
            done => {
                done?;
                return usable(path);
            }
        }
    }
    Ok(None)
}

fn name(session: &SessionId, generation: Generation) -> String {
    format!("{session}-{generation}")
}

/// Removes what a launcher made that was killed before it wrote that down.
pub(super) fn remove_unrecorded(session: &SessionId, generation: Generation) -> io::Result<()> {
    match place()?.map(|parent| parent.join(name(session, generation))) {
        Some(path) if path.exists() => {
            kill(&path)?;
            remove(&path)
        }
        _ => Ok(()),
    }
}

/// Before Linux 5.14 there is no `cgroup.kill`, and nothing that the PID namespace does not do.
fn usable(path: PathBuf) -> io::Result<Option<PathBuf>> {
    if path.join("cgroup.kill").exists() {
        return Ok(Some(path));
    }
    remove(&path)?;
    Ok(None)
}

/// Where our cgroups go. Root has a place of its own at the top, so that stopping the server's own unit does not take
/// the sandboxes with it; a user has the cgroup that it is in, if that is delegated to it.
pub(super) fn place() -> io::Result<Option<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let Some(mount) = mounts.lines().find_map(unified_mount) else { return Ok(None) };
    let parent = if rustix::process::geteuid().is_root() {
        mount.clone()
    } else {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::/")) else { return Ok(None) };
        mount.join(own)
    };
    let writable = rustix::fs::access(&parent, Access::WRITE_OK).is_ok();
    Ok(writable.then(|| parent.join("lamplight")))
}

/// The mount point, when a line of `mountinfo` is that of cgroup version 2. Source: proc_pid_mountinfo(5).
fn unified_mount(line: &str) -> Option<PathBuf> {
    let (left, right) = line.split_once(" - ")?;
    (right.split(' ').next()? == "cgroup2").then(|| left.split(' ').nth(4).map(PathBuf::from))?
}

/// Kills all that runs in it. Gone is fine.
pub(super) fn kill(cgroup: &Path) -> io::Result<()> {
    match fs::write(cgroup.join("cgroup.kill"), "1") {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Lets all that runs in it stand still, and waits until it does. Source: the kernel's admin-guide/cgroup-v2, "cgroup.freeze".
pub(super) fn freeze(cgroup: &Path) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.freeze"), "1")?;
    wait_for(cgroup, "frozen 1")
}

/// Of one that is not frozen is fine.
pub(super) fn thaw(cgroup: &Path) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.freeze"), "0")?;
    wait_for(cgroup, "frozen 0")
}

/// Removes it when its last process is gone, and the parent with the last one. Gone is fine.
pub(super) fn remove(cgroup: &Path) -> io::Result<()> {
    match wait_for(cgroup, "populated 0").and_then(|()| fs::remove_dir(cgroup)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // It stays while another sandbox is in it.
    let _ = cgroup.parent().map(fs::remove_dir);
    Ok(())
}

/// Waits for a line of `cgroup.events`; poll reports a change after each read. Source: the kernel's admin-guide/cgroup-v2.
fn wait_for(cgroup: &Path, wanted: &str) -> io::Result<()> {
    let mut events = File::open(cgroup.join("cgroup.events"))?;
    let mut text = String::new();
    loop {
        text.clear();
        events.rewind()?;
        events.read_to_string(&mut text)?;
        if text.lines().any(|line| line == wanted) {
            return Ok(());
        }
        if rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&EVENT)))? == 0
        {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("cgroup {} does not come to \"{wanted}\"", cgroup.display()),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_mount_is_found_among_others() {
        let check =
            |line: &str, mount: Option<&str>| assert_eq!(unified_mount(line), mount.map(PathBuf::from));
        check(
            "31 30 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
            Some("/sys/fs/cgroup/unified"),
        );
        check("30 25 0:26 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids", None);
        check("torn", None);
    }
}
