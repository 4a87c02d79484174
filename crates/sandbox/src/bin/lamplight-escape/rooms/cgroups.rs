//! Cgroups: leaving one's own, or having the kernel run a program when one empties.

use super::look::{below, writable};
use crate::attempt::{Attempt, REFUSED, StoppedBy, Tried, found};
use crate::call::{NULL, call};
use std::ffi::CStr;
use std::path::Path;

const MOST: usize = 50_000;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("leave its cgroup for another", StoppedBy::Absence, |_| writable_named("cgroup.procs")),
    Attempt::new("have the kernel run a program (release_agent)", StoppedBy::Absence, |_| {
        writable_named("release_agent")
    }),
    Attempt::new("raise its own limits", StoppedBy::Absence, |_| {
        let limits = ["memory.limit_in_bytes", "memory.max", "pids.max", "cpu.max", "cpu.cfs_quota_us"];
        found(limits.into_iter().filter(|limit| writable_named(limit).is_ok()).map(str::to_owned).collect())
    }),
    Attempt::new("mount a hierarchy of version 1", REFUSED, |_| hierarchy(c"cgroup", c"pids")),
    Attempt::new("mount a named hierarchy", REFUSED, |_| hierarchy(c"cgroup", c"none,name=systemd")),
];

fn writable_named(name: &str) -> Tried {
    let files = below(Path::new("/sys/fs/cgroup"), MOST).into_iter();
    let named = files.filter(|path| path.file_name().is_some_and(|last| last == name));
    found(named.filter(|path| writable(path).is_ok()).map(|path| path.display().to_string()).collect())
}

fn hierarchy(kind: &CStr, options: &CStr) -> Tried {
    let place = c"/run/lock";
    call(libc::SYS_mount, &[c"cgroup".into(), place.into(), kind.into(), 0.into(), options.into()])?;
    let _ = call(libc::SYS_umount2, &[place.into(), libc::MNT_DETACH.into(), NULL]);
    Ok("mounted".into())
}
