//! User namespaces as things: made with their maps already written, to be entered later or to say whose files a mount shows.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Bytes of stack for a process that makes three system calls.
const STACK: usize = 16 * 1024;

/// A namespace with these maps, for users and groups alike, that nobody is in. Root's.
pub(super) fn mapped(map: &str) -> Result<OwnedFd> {
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("make a pipe")?;
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let mut ends = [wait.as_raw_fd(), go.as_raw_fd()];
    // SAFETY: the process shares our memory, has a stack of its own that outlives it, as does what it is given (see the wait below; where
    // this process is killed before, the memory stays the other's), and makes a few system calls.
    let pid = unsafe {
        libc::clone(
            hold,
            stack.as_mut_ptr_range().end.cast(),
            libc::CLONE_VM | libc::CLONE_NEWUSER | libc::SIGCHLD,
            (&raw mut ends).cast(),
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

/// Keeps the namespace for as long as the other process has its end of the pipe open. It is killed before; should the other be, it ends
/// by itself.
extern "C" fn hold(ends: *mut libc::c_void) -> i32 {
    let mut byte = 0_u8;
    // SAFETY: reads the two numbers that it was given, and one byte into a variable of this function.
    unsafe {
        let [wait, go] = ends.cast::<[RawFd; 2]>().read();
        libc::close(go);
        libc::read(wait, (&raw mut byte).cast(), 1);
        libc::_exit(0)
    }
}
