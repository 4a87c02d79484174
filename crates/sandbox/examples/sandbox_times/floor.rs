//! What any sandbox of this kind costs on this machine: new namespaces, an overlay over the machine's files, another root, a program
//! in it. Nothing is limited, filtered or kept, and nobody answers.

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::Path;

pub(crate) struct Floor {
    /// Prepared here: the copy of a process with threads may not allocate.
    root: CString,
    options: CString,
    user: bool,
}

impl Floor {
    pub(crate) fn prepare(data: &Path) -> Result<Self> {
        let folder = data.join("floor");
        for name in ["root", "top", "work"] {
            fs::create_dir_all(folder.join(name)).context("make the floor's folders")?;
        }
        let (root, top, work) = (folder.join("root"), folder.join("top"), folder.join("work"));
        // An ordinary user cannot have all of the machine's files in one.
        let user = !rustix::process::geteuid().is_root();
        let (lower, kind) = if user { ("/usr", ",userxattr") } else { ("/", "") };
        let options = format!("lowerdir={lower},upperdir={},workdir={}{kind}", top.display(), work.display());
        let text = |text: String| CString::new(text).context("a path with a NUL");
        Ok(Self { root: text(root.display().to_string())?, options: text(options)?, user })
    }

    /// From the clone to the end of the program.
    pub(crate) fn run(&self) -> Result<()> {
        let mut flags = libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        if self.user {
            flags |= libc::CLONE_NEWUSER;
        }
        // SAFETY: all fields are integers for which 0 means "not used".
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = u64::from(flags.cast_unsigned());
        arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
        // SAFETY: without CLONE_VM this is a fork; the copy makes system calls and nothing else until it executes.
        let pid =
            unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
        match pid {
            0 => {
                let code = self.inside().err().map_or(0, |error| error.raw_os_error());
                // SAFETY: ends the copy.
                unsafe { libc::_exit(code) }
            }
            pid if pid < 0 => Err(io::Error::last_os_error()).context("make the floor's namespaces"),
            pid => {
                let mut status = 0;
                // SAFETY: the status outlives the call.
                unsafe { libc::waitpid(i32::try_from(pid)?, &raw mut status, 0) };
                anyhow::ensure!(status == 0, "the floor's program ended with {status}");
                Ok(())
            }
        }
    }

    fn inside(&self) -> rustix::io::Result<()> {
        rustix::mount::mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
        let none = MountFlags::empty();
        rustix::mount::mount(c"overlay", &*self.root, c"overlay", none, &*self.options)?;
        rustix::process::chdir(&*self.root)?;
        let program = if self.user { c"/bin/true" } else { c"/usr/bin/true" };
        if !self.user {
            rustix::mount::mount(c"proc", c"proc", c"proc", none, None)?;
            rustix::mount::mount(c"tmpfs", c"tmp", c"tmpfs", none, None)?;
            rustix::process::pivot_root(c".", c".")?;
            rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        }
        let arguments = [program.as_ptr(), std::ptr::null()];
        // SAFETY: ends in a null pointer, and the strings are constants.
        unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), arguments[1..].as_ptr()) };
        Err(rustix::io::Errno::NOENT)
    }
}
