//! Who things are done as, where the guest is the sandbox's root: files and processes that the host asks for are the agent's, as if
//! the guest were the agent itself. Only the guest's own business (ending processes, `root`) is done as root.

use crate::guest::{Guest, refusal};
use lamplight_wire::{Code, Refusal, Who};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, capabilities, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::io;

/// The agent's number, as user and as group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agent(pub(crate) u32);

impl Agent {
    /// From here on this thread, the only one, touches files with the agent's rights and no more: the kernel takes the rights over
    /// files out of the effective set with the file system user. Source: setfsuid(2), capabilities(7).
    pub(crate) fn touch_files(self) {
        touch_files_as(self.0);
    }

    /// For good, with every capability gone, and no way to one. Between fork and exec: makes system calls and nothing else.
    pub(crate) fn become_for_good(self) -> io::Result<()> {
        match empty_bounding_set() {
            // A root that has not all that it takes, as in a sandbox in a sandbox: then no program gives what its file says.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => set_no_new_privs(true)?,
            emptied => emptied?,
        }
        become_user(&[], self.0, self.0)
    }
}

/// As whom something is done with files, once; then this thread is the agent again.
#[derive(Clone, Copy)]
pub(crate) struct Hand {
    /// Whom to be again, where it is done as root.
    instead_of: Option<Agent>,
}

impl Hand {
    /// Refused where there is no root to be.
    pub(crate) fn of(guest: &Guest, who: Who) -> Result<Self, Refusal> {
        match (who, guest.agent.filter(|_| guest.has_root)) {
            (Who::Agent, _) => Ok(Self { instead_of: None }),
            (Who::Root, Some(agent)) => Ok(Self { instead_of: Some(agent) }),
            (Who::Root, None) => Err(refusal(Code::Denied, "there is no root in this sandbox")),
        }
    }

    /// Does it. `work` does not wait for anything: nobody else's files are touched meanwhile.
    pub(crate) fn touch<T>(self, work: impl FnOnce() -> T) -> T {
        let Some(agent) = self.instead_of else { return work() };
        touch_files_as_root();
        let done = work();
        agent.touch_files();
        done
    }
}

/// Not even by executing something can a capability be had after this. Between fork and exec: makes system calls and nothing else.
fn empty_bounding_set() -> io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            // The first that this kernel does not know.
            Err(_) => break,
        }
    }
    Ok(())
}

/// All rights over files again, for a child that is to be root too. Between fork and exec: makes system calls and nothing else.
pub(crate) fn touch_files_as_root() {
    touch_files_as(0);
}

/// Of root and the agent, which are both mapped where this is called.
fn touch_files_as(user: u32) {
    // SAFETY: all take a number, and change nothing but this thread. The last one, with a number that nobody has, tells who it is now.
    let now = unsafe {
        libc::setfsgid(user);
        libc::setfsuid(user);
        libc::setfsuid(u32::MAX)
    };
    if u32::try_from(now) != Ok(user) {
        // It cannot fail for one that is root, as who calls this really is.
        let _ = touch_files_as_effective(user);
    }
}

/// The same on a kernel that knows no user of files alone (gVisor): the effective user is changed, which takes all rights out of the
/// effective set, and those that are not over files are put back. Who it really is stays root, and with it what is permitted.
fn touch_files_as_effective(user: u32) -> io::Result<()> {
    const OVER_FILES: CapabilitySet = CapabilitySet::CHOWN
        .union(CapabilitySet::DAC_OVERRIDE)
        .union(CapabilitySet::DAC_READ_SEARCH)
        .union(CapabilitySet::FOWNER)
        .union(CapabilitySet::FSETID);
    // Root again first: only root may be another group.
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    let group = Gid::from_raw(user);
    set_thread_res_gid(Gid::ROOT, group, Gid::ROOT)?;
    if user == Uid::ROOT.as_raw() {
        return Ok(());
    }
    set_thread_res_uid(Uid::ROOT, Uid::from_raw(user), Uid::ROOT)?;
    let sets = capabilities(None)?;
    let effective = sets.permitted.difference(OVER_FILES);
    Ok(set_capabilities(None, CapabilitySets { effective, ..sets })?)
}

/// Between fork and exec: makes system calls and nothing else. Whoever is not 0 afterwards has no capability left.
pub(crate) fn become_user(groups: &[Gid], group: u32, user: u32) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(groups)?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}
