//! What is mounted: to see more of the machine, or to change what is shown read-only.

use crate::attempt::{Attempt, REFUSED, Tried, beyond};
use crate::call::{Argument, NULL, at, call, descriptor};
use std::ffi::CStr;
use std::os::fd::AsRawFd;

/// Shown read-only; also named in `facts::SHOWN`.
const SHOWN: &CStr = c"/opt/lamplight-escape";

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("mount a tmpfs", REFUSED, |_| mount(c"tmpfs", c"/run/lock", c"tmpfs", 0)),
    Attempt::new("show a directory once more", REFUSED, |_| mount(c"/usr", c"/tmp", c"", libc::MS_BIND)),
    Attempt::new("mount /proc once more", REFUSED, |_| mount(c"proc", c"/run/lock", c"proc", 0)),
    Attempt::new("mount a cgroup hierarchy", REFUSED, |_| mount(c"cgroup2", c"/run/lock", c"cgroup2", 0)),
    Attempt::new("make a read-only mount writable", REFUSED, |_| {
        mount(c"", SHOWN, c"", libc::MS_REMOUNT | libc::MS_BIND)
    }),
    Attempt::new("make a read-only mount writable by mount_setattr", REFUSED, |_| {
        let mut attributes =
            libc::mount_attr { attr_set: 0, attr_clr: libc::MOUNT_ATTR_RDONLY, propagation: 0, userns_fd: 0 };
        let size = size_of::<libc::mount_attr>();
        let arguments = [libc::AT_FDCWD.into(), SHOWN.into(), 0.into(), at(&mut attributes), size.into()];
        beyond(call(libc::SYS_mount_setattr, &arguments), &[])
    }),
    Attempt::new("take a mount away", REFUSED, |_| {
        call(libc::SYS_umount2, &[c"/run/lock".into(), libc::MNT_DETACH.into()])?;
        Ok("unmounted".into())
    }),
    Attempt::new("prepare a file system with fsopen", REFUSED, |_| {
        opened(libc::SYS_fsopen, &[c"tmpfs".into(), 0.into()])
    }),
    Attempt::new("change a file system with fspick", REFUSED, |_| {
        opened(libc::SYS_fspick, &[libc::AT_FDCWD.into(), c"/dev/shm".into(), 0.into()])
    }),
    Attempt::new("copy a tree of mounts with open_tree", REFUSED, |_| {
        opened(libc::SYS_open_tree, &[libc::AT_FDCWD.into(), c"/usr".into(), libc::OPEN_TREE_CLONE.into()])
    }),
    Attempt::new("move a mount with move_mount", REFUSED, |_| {
        let arguments =
            [(-1).into(), c"".into(), (-1).into(), c"".into(), libc::MOVE_MOUNT_F_EMPTY_PATH.into()];
        beyond(call(libc::SYS_move_mount, &arguments), &[libc::EBADF, libc::ENOENT])
    }),
    Attempt::new("change the root with pivot_root", REFUSED, |_| {
        let nowhere = c"/nowhere";
        beyond(call(libc::SYS_pivot_root, &[nowhere.into(), nowhere.into()]), &[libc::ENOENT])
    }),
    Attempt::new("change the root with chroot", REFUSED, |_| {
        call(libc::SYS_chroot, &[c"/tmp".into()])?;
        Ok("changed it".into())
    }),
];

fn mount(what: &CStr, at: &CStr, kind: &CStr, flags: libc::c_ulong) -> Tried {
    call(libc::SYS_mount, &[what.into(), at.into(), kind.into(), flags.into(), NULL])?;
    // So that those after it find what they expect; in a sandbox nothing comes this far.
    if flags & libc::MS_REMOUNT == 0 {
        let _ = call(libc::SYS_umount2, &[at.into(), libc::MNT_DETACH.into()]);
    }
    Ok("mounted".into())
}

fn opened(number: libc::c_long, arguments: &[Argument<'_>]) -> Tried {
    Ok(format!("got descriptor {}", descriptor(number, arguments)?.as_raw_fd()))
}
