//! Holds everything in a sandbox for an instant, so that what is copied meanwhile is of one moment. By its cgroup, where it has one; a
//! sandbox without one runs on, and whoever copies has to look whether something changed.
//!
//! Whoever holds one writes that down first: should it be killed, the next that dials the sandbox lets it go.

use super::cgroup;
use super::disk::GenerationDir;
use super::record::Record;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// As long as this lives, nothing in the sandbox runs.
#[derive(Debug)]
pub(super) struct Held {
    cgroup: PathBuf,
    mark: PathBuf,
    _lock: File,
}

impl Held {
    /// `None` when it cannot be held. One that somebody else has frozen is not touched, nor thawed afterwards.
    pub(super) fn hold(here: &GenerationDir, record: &Record) -> io::Result<Option<Held>> {
        let Some(cgroup) =
            record.cgroups.unified.clone().filter(|cgroup| cgroup.join("cgroup.freeze").exists())
        else {
            return Ok(None);
        };
        let lock = here.lock_freezer()?;
        if fs::read_to_string(cgroup.join("cgroup.freeze"))?.trim() == "1" {
            return Ok(None);
        }
        let held = Self { cgroup, mark: here.held_mark(), _lock: lock };
        fs::write(&held.mark, "")?;
        fs::write(held.cgroup.join("cgroup.freeze"), "1")?;
        // With nobody left in it, there is nobody to hold.
        cgroup::wait_for(&held.cgroup, &["frozen 1", "populated 0"])?;
        Ok(Some(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A cgroup that is gone holds nobody; with the mark left in place, the next dial tries again.
        if let Err(error) = let_go(&self.cgroup, &self.mark) {
            tracing::warn!(%error, "a sandbox could not be let go");
        }
    }
}

fn let_go(cgroup: &Path, mark: &Path) -> io::Result<()> {
    match fs::write(cgroup.join("cgroup.freeze"), "0") {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::remove_file(mark) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Lets a sandbox go that somebody held who is gone. Waits for whoever holds it and is not.
pub(super) fn let_go_of_forgotten(here: &GenerationDir) -> io::Result<()> {
    let _lock = here.lock_freezer()?;
    if !here.held_mark().exists() {
        return Ok(());
    }
    match here.record()?.and_then(|record| record.cgroups.unified) {
        Some(cgroup) => let_go(&cgroup, &here.held_mark()),
        None => fs::remove_file(here.held_mark()),
    }
}
