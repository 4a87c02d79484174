//! Namespaces of one's own, in which one would have every right and most of the kernel to attack; or those of others.

use crate::attempt::{Attempt, Needed, StoppedBy, Tried};
use crate::call::{NULL, at, call, descriptor, exit, wait};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Also a limit of none: `/proc/sys/user/max_user_namespaces`.
const FORBIDDEN: StoppedBy = StoppedBy::Errors(
    "a refusal, or a limit of none",
    &[libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENOSPC, libc::EUSERS],
);

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("make a user namespace with unshare", FORBIDDEN, |_| unshare(libc::CLONE_NEWUSER)),
    Attempt::new("make a mount namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWNS)),
    Attempt::new("make a network namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWNET)),
    Attempt::new("make a PID namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWPID)),
    Attempt::new("make an IPC namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWIPC)),
    Attempt::new("make a host name namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWUTS)),
    Attempt::new("make a cgroup namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWCGROUP)),
    Attempt::new("make a time namespace", FORBIDDEN, |_| unshare(libc::CLONE_NEWTIME)),
    Attempt::new("make a user namespace with clone", FORBIDDEN, |_| {
        let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
        born(call(libc::SYS_clone, &[flags.into(), NULL, NULL, NULL, NULL]))
    }),
    Attempt::new("make a user namespace with clone3", FORBIDDEN, |_| {
        // SAFETY: all fields are integers for which 0 means "not used".
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
        arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
        born(call(libc::SYS_clone3, &[at(&mut arguments), size_of::<libc::clone_args>().into()]))
    }),
    Attempt::new("enter a namespace of PID 1 by its file", FORBIDDEN, |_| {
        let file = File::open("/proc/1/ns/mnt")?;
        enter(file.as_raw_fd())
    }),
    Attempt::new("enter a namespace of PID 1 by its descriptor", FORBIDDEN, |_| {
        let first = descriptor(libc::SYS_pidfd_open, &[1.into(), 0.into()]).needed("name PID 1")?;
        enter(first.as_raw_fd())
    }),
];

fn unshare(what: i32) -> Tried {
    call(libc::SYS_unshare, &[what.into()])?;
    Ok("made one".into())
}

fn enter(namespace: i32) -> Tried {
    call(libc::SYS_setns, &[namespace.into(), libc::CLONE_NEWNS.into()])?;
    Ok("entered".into())
}

/// The child, if there is one, ends here.
fn born(child: std::io::Result<i64>) -> Tried {
    match child? {
        0 => exit(0),
        child => {
            wait(i32::try_from(child).unwrap_or(-1)).needed("wait for a child")?;
            Ok("made one".into())
        }
    }
}
