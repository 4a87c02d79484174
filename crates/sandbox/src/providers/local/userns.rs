//! User namespaces as things: made with their maps already written, to be entered later or to say whose files a mount shows.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Bytes of stack for a process that makes a few system calls.
const STACK: usize = 16 * 1024;

/// A namespace with these maps, for users and groups alike, that nobody is in. Root's.
pub(super) fn mapped(map: &str) -> Result<OwnedFd> {
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("make a pipe")?;
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let descriptor = wait.as_raw_fd();
    // SAFETY: the process shares our memory, has a stack of its own that outlives it (see the wait below), and makes a few system
    // calls with a number that it was given by value. Its descriptors are copies.
    let pid = unsafe {
        libc::clone(
            hold,
            stack.as_mut_ptr_range().end.cast(),
            libc::CLONE_VM | libc::CLONE_NEWUSER | libc::SIGCHLD,
            std::ptr::without_provenance_mut(usize::try_from(descriptor).expect("descriptors are positive")),
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error()).context("make a user namespace");
    }
    let made = open(pid, map);
    // SAFETY: takes a number that stays this child's until it is waited for, and writes nothing with a null pointer.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
    drop((wait, go));
    made
}

fn open(pid: i32, map: &str) -> Result<OwnedFd> {
    for file in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{file}"), map).with_context(|| format!("write {map:?} to {file}"))?;
    }
    Ok(File::open(format!("/proc/{pid}/ns/user")).context("open the user namespace")?.into())
}

/// Keeps the namespace for as long as somebody has the pipe's other end; it is killed before. It keeps nothing else open: should the
/// launcher be killed first, the session's lock goes with it, and the pipe.
extern "C" fn hold(descriptor: *mut libc::c_void) -> i32 {
    let descriptor = u32::try_from(descriptor.addr()).unwrap_or(u32::MAX);
    let mut byte = 0_u8;
    // SAFETY: closes descriptors of this process alone, and reads one byte into a variable of this function.
    unsafe {
        if descriptor > 0 {
            libc::close_range(0, descriptor - 1, 0);
        }
        libc::close_range(descriptor.saturating_add(1), u32::MAX, 0);
        libc::read(i32::try_from(descriptor).unwrap_or(-1), (&raw mut byte).cast(), 1);
        libc::_exit(0)
    }
}
