//! Who things are done as, where the guest is the sandbox's root: files and processes that the host asks for are the agent's, as if
//! the guest were the agent itself. Only the guest's own business (ending processes, `root`) is done as root.

use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io;

/// The agent's number, as user and as group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agent(pub(crate) u32);

impl Agent {
    /// From here on this thread, the only one, touches files with the agent's rights and no more: the kernel takes the rights over
    /// files out of the effective set with the file system user. Source: setfsuid(2), capabilities(7).
    pub(crate) fn touch_files(self) {
        // SAFETY: both take a number. They cannot fail for one that is mapped, and report nothing.
        unsafe {
            libc::setfsgid(self.0);
            libc::setfsuid(self.0);
        }
    }

    /// For good, with every capability gone. Between fork and exec: makes system calls and nothing else.
    pub(crate) fn become_for_good(self) -> io::Result<()> {
        become_user(&[], self.0, self.0)
    }
}

/// All rights over files again, for a child that is to be root. Between fork and exec: makes system calls and nothing else.
pub(crate) fn touch_files_as_root() {
    // SAFETY: both take a number, and cannot fail for one that is the caller's own.
    unsafe {
        libc::setfsuid(0);
        libc::setfsgid(0);
    }
}

/// Between fork and exec: makes system calls and nothing else. Whoever is not 0 afterwards has no capability left.
pub(crate) fn become_user(groups: &[Gid], group: u32, user: u32) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(groups)?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}
