//! Whose rights over files this process uses while it puts a root together. As root only.

use super::identity::Ids;
use anyhow::{Context, Result};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_groups};

/// The kernel's number for nobody in particular.
const NOBODY: u32 = 65_534;

/// Rights that pass by the rights of files.
const BY_FORCE: CapabilitySet =
    CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH).union(CapabilitySet::FOWNER);

/// All but the right to what a file system keeps back for root. An overlay writes with the rights of whoever mounted it: a session would
/// have that too.
const OURS: CapabilitySet = CapabilitySet::all().difference(CapabilitySet::SYS_RESOURCE);

/// What is made from here on belongs to the sandbox's root; every right stays that this takes.
pub(super) fn work_for(ids: Ids) -> Result<()> {
    set_thread_groups(&[]).context("leave our groups")?;
    touch_files_as(ids.first);
    set_effective(OURS)
}

/// What is made from here on is our own again.
pub(super) fn work_for_ourselves() -> Result<()> {
    touch_files_as(rustix::process::geteuid().as_raw());
    set_effective(CapabilitySet::all())
}

/// Runs `work` with the rights over files that any user of the machine has, and remembers none of it. What is mounted meanwhile
/// keeps to these rights for good, as an overlay reads its layers as whoever mounted it.
pub(super) fn as_anybody<T>(ids: Ids, work: impl FnOnce() -> Result<T>) -> Result<T> {
    touch_files_as(NOBODY);
    set_effective(OURS.difference(BY_FORCE))?;
    let done = work();
    touch_files_as(ids.first);
    set_effective(OURS)?;
    done
}

fn touch_files_as(user: u32) {
    // SAFETY: both take a number, and cannot fail for root.
    unsafe {
        libc::setfsgid(user);
        libc::setfsuid(user);
    }
}

/// Of what is permitted.
fn set_effective(wanted: CapabilitySet) -> Result<()> {
    let sets = capabilities(None).context("read our own capabilities")?;
    let effective = sets.permitted.intersection(wanted);
    set_capabilities(None, CapabilitySets { effective, ..sets }).context("choose among our capabilities")
}
