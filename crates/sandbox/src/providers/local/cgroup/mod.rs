//! The cgroups of a sandbox: the place of its limits, and in version 2 killed as a whole. Works with either version, and with
//! both at once, where each controller is in one of them.
//!
//! ```text
//! launcher: park ──────── request ─────▶ create ──▶ clone3 into version 2; version 1 is inherited
//!            └─ nobody asks ─▶ leave
//! ```
//! A launcher enters version 1 before it is asked for anything, under a name that it changes later; the one that the provider keeps
//! waiting has done so long before. What limits to write is known only with the request.
//!
//! It is entered as a thread (`tasks`), which is all there is of a launcher. To move a process (`cgroup.procs`) the kernel stops every
//! fork and exit of the machine, for which it waits for grace periods, 5 to 20 ms after a pause; and meanwhile nobody makes, kills or
//! removes any cgroup, so that a sandbox that ended waited for the launcher of the next. Source: `cgroup_procs_write_start` in the
//! kernel's cgroup.c, since Linux 5.5.

mod control;
mod foreign;
mod place;

pub(super) use control::{Limited, hits, limit, used};
pub(super) use foreign::{below_the_top, others, second_beside_first};
pub(super) use place::{Places, make_way};

use lamplight_domain::{Generation, SessionId};
use place::{Controller, Place};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a folder is made again that vanishes with the last sandbox of somebody else.
const TRIES: u32 = 100;

/// From asking something of a cgroup's processes (to end, to stand still) to its being so.
const EVENT: Duration = Duration::from_secs(5);

/// The kernel tells of one change in 10 ms, whatever else there was (`CGROUP_FILE_NOTIFY_MIN_INTV`). So it is asked, first after this
/// and then after twice as long each time, up to the next.
const FIRST_LOOK: Duration = Duration::from_micros(50);
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Version 1 tells nobody when a cgroup becomes empty: looked again after this, so many times.
const LEGACY_LOOK: Duration = Duration::from_micros(100);
const LEGACY_LOOKS: u32 = 50_000;

/// Begins the names of version 1 cgroups whose launcher was not asked for anything yet.
const PARKED: &str = "parked-";

/// Where a process of one thread enters a cgroup of version 1.
const TASKS: &str = "tasks";

/// Those of one sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cgroups {
    /// Of version 2.
    #[serde(rename = "cgroup", default, skip_serializing_if = "Option::is_none")]
    pub(super) unified: Option<PathBuf>,
    /// Of version 1, one for each hierarchy that limits something.
    #[serde(rename = "legacy_cgroups", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) legacy: Vec<PathBuf>,
}

/// Cgroups of version 1 that this process has entered, and its children with it.
#[derive(Debug, Default)]
pub(super) struct Parked {
    entered: Vec<Entered>,
    /// Why a hierarchy could not be entered.
    pub(super) refused: Vec<String>,
}

#[derive(Debug)]
struct Entered {
    place: Place,
    path: PathBuf,
}

/// Enters a new cgroup in every hierarchy of version 1 that limits something.
pub(super) fn park(places: &Places) -> Parked {
    let mut parked = Parked::default();
    for place in &places.legacy {
        let path = place.folder.join(format!("{PARKED}{}", std::process::id()));
        match enter(place, &path) {
            Ok(()) => parked.entered.push(Entered { place: place.clone(), path }),
            Err(error) => parked.refused.push(format!("{}: {error}", place.folder.display())),
        }
    }
    parked
}

fn enter(place: &Place, path: &Path) -> io::Result<()> {
    let mut last = ErrorKind::NotFound.into();
    for _ in 0..TRIES {
        make(place, path)?;
        // It may have been swept before we were in it.
        match fs::write(path.join(TASKS), "0") {
            Err(error) if error.kind() == ErrorKind::NotFound => last = error,
            done => return done,
        }
    }
    Err(last)
}

/// Removes what launchers left that were killed before their request was theirs. Not each launcher's to do: it is a look at every sandbox
/// of the machine.
pub(super) fn sweep_parked() -> io::Result<()> {
    for place in &Places::find()?.legacy {
        sweep(&place.folder);
        // The last one takes the folder with it.
        let _ = fs::remove_dir(&place.folder);
    }
    Ok(())
}

/// Only what is empty can be removed: what another launcher is in stays.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(PARKED) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

impl Parked {
    /// Goes back up and removes what was made. Not to where we came from: this process is about to end.
    pub(super) fn leave(self) {
        let legacy = self.entered.into_iter().map(|entered| entered.path).collect();
        let cgroups = Cgroups { unified: None, legacy };
        cgroups.leave();
        // What cannot be removed is swept later.
        let _ = cgroups.remove();
    }
}

/// Makes the cgroups of a sandbox: those of version 1 from what this process is in, and one of version 2 for the clone.
pub(super) fn create(
    places: &Places,
    parked: Parked,
    session: &SessionId,
    generation: Generation,
) -> io::Result<Cgroups> {
    let mut cgroups = Cgroups::default();
    for Entered { place, path } in parked.entered {
        let named = place.folder.join(name(session, generation));
        fs::rename(&path, &named)?;
        cgroups.legacy.push(named);
    }
    if let Some(place) = &places.unified {
        let path = place.folder.join(name(session, generation));
        match make(place, &path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {}
            made => {
                made?;
                control::delegate_missing(place, &path);
                cgroups.unified = usable(path)?;
            }
        }
    }
    Ok(cgroups)
}

/// Makes a cgroup, and the folder of all of ours, which goes with its last child, maybe just now. It may be there already.
fn make(place: &Place, path: &Path) -> io::Result<()> {
    let mut last = ErrorKind::NotFound.into();
    for _ in 0..TRIES {
        let _ = fs::create_dir(&place.folder);
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => last = error,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            done => return done,
        }
    }
    Err(last)
}

/// Before Linux 5.14 there is no `cgroup.kill`, and nothing that the PID namespace does not do.
fn usable(path: PathBuf) -> io::Result<Option<PathBuf>> {
    if path.join("cgroup.kill").exists() {
        return Ok(Some(path));
    }
    remove(&path)?;
    Ok(None)
}

fn name(session: &SessionId, generation: Generation) -> String {
    format!("{session}-{generation}")
}

/// Removes what a launcher made that was killed before it wrote that down.
pub(super) fn remove_unrecorded(session: &SessionId, generation: Generation) -> io::Result<()> {
    let places = Places::find()?;
    let path =
        |place: &Place| Some(place.folder.join(name(session, generation))).filter(|path| path.exists());
    let unrecorded = Cgroups {
        unified: places.unified.as_ref().and_then(path),
        legacy: foreign::every_first()?.iter().filter_map(path).collect(),
    };
    unrecorded.kill()?;
    unrecorded.remove()
}

impl Cgroups {
    /// Kills all that runs in it, where the kernel does that. Gone is fine.
    pub(super) fn kill(&self) -> io::Result<()> {
        let Some(unified) = &self.unified else { return Ok(()) };
        match fs::write(unified.join("cgroup.kill"), "1") {
            Err(error) if is_gone(&error) => Ok(()),
            done => done,
        }
    }

    /// Lets all that runs in it stand still, or go on, and waits until it does; `false` where only signals can do that. Source: the
    /// kernel's admin-guide/cgroup-v2, "cgroup.freeze".
    pub(super) fn freeze(&self, frozen: bool) -> io::Result<bool> {
        let Some(unified) = &self.unified else { return Ok(false) };
        let digit = if frozen { "1" } else { "0" };
        fs::write(unified.join("cgroup.freeze"), digit)?;
        wait_for(unified, &[&format!("frozen {digit}")])?;
        Ok(true)
    }

    /// Lets a launcher out of what it made, after which that can be removed.
    pub(super) fn leave(&self) {
        for path in &self.legacy {
            // What cannot be left is removed by whoever destroys the sandbox.
            let above = path.ancestors().nth(2).map(|above| above.join(TASKS));
            let _ = above.map(|above| fs::write(above, "0"));
        }
    }

    /// Removes them when their last process is gone, and our folder with the last one. Gone is fine.
    pub(super) fn remove(&self) -> io::Result<()> {
        if let Some(unified) = &self.unified {
            remove(unified)?;
        }
        self.legacy.iter().try_for_each(|path| remove_empty(path))
    }
}

fn remove(unified: &Path) -> io::Result<()> {
    match wait_for(unified, &["populated 0"]) {
        Err(error) if !is_gone(&error) => Err(error),
        _ => remove_empty(unified),
    }
}

/// Somebody else removed it: before its file was opened, or after. So it is where a sandbox is ended by two at once, by whoever destroys it
/// and because its disk is full.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// Waits for one of these lines of `cgroup.events`; poll reports a change after each read. Source: the kernel's admin-guide/cgroup-v2.
pub(super) fn wait_for(cgroup: &Path, wanted: &[&str]) -> io::Result<()> {
    let mut events = File::open(cgroup.join("cgroup.events"))?;
    let mut text = String::new();
    let (mut waited, mut look) = (Duration::ZERO, FIRST_LOOK);
    while waited < EVENT {
        text.clear();
        events.rewind()?;
        events.read_to_string(&mut text)?;
        if text.lines().any(|line| wanted.contains(&line)) {
            return Ok(());
        }
        let wait = Timespec { tv_sec: 0, tv_nsec: look.subsec_nanos().into() };
        rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&wait)))?;
        waited += look;
        look = (look * 2).min(LAST_LOOK);
    }
    let what = format!("cgroup {} does not come to {}", cgroup.display(), wanted.join(" or "));
    Err(io::Error::new(ErrorKind::TimedOut, what))
}

/// Removes one whose processes are ending, and our folder when it was the last.
fn remove_empty(cgroup: &Path) -> io::Result<()> {
    let mut looks = 0;
    loop {
        match fs::remove_dir(cgroup) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && looks < LEGACY_LOOKS => {
                looks += 1;
                std::thread::sleep(LEGACY_LOOK);
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => break,
        }
    }
    // It stays while another sandbox is in it.
    let _ = cgroup.parent().map(fs::remove_dir);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_goes_while_it_is_waited_for_is_gone() {
        let made = Places::find().unwrap().unified.and_then(|place| {
            let path = place.folder.join(format!("going-{}", std::process::id()));
            make(&place, &path).is_ok().then_some(path)
        });
        let Some(path) = made else {
            println!("skipped: no cgroup of version 2 can be made here");
            return;
        };
        let there = path.clone();
        let waiting = std::thread::spawn(move || wait_for(&there, &["populated 7"]));
        std::thread::sleep(LAST_LOOK * 3);
        fs::remove_dir(&path).unwrap();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(is_gone(&error), "{error}");
        remove(&path).unwrap();
    }
}
