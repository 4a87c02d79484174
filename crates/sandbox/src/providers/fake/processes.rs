//! What runs of a sandbox, without a namespace or cgroup that would know: whoever was started with the mark of its folder, in the
//! environment or on the command line, and whatever comes from these.
//!
//! As long as the guest lives that is everybody, since orphans fall to it. Not found is who lost a guest that was killed, and has no
//! mark: one whose environment was emptied, and as an ordinary user one that runs a set-user-id program.

use super::disk::GenerationDir;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// The variable that everything in a sandbox starts with; its value is the sandbox's folder.
pub(super) const MARK: &str = "LAMPLIGHT_FAKE_SANDBOX";

/// Looks at all processes until each is as it should be. What is started in between is found by the next look.
const LOOKS: u32 = 3_000;
/// Between two looks: a signal is taken when its process is next on a processor.
const PAUSE: Duration = Duration::from_millis(1);

/// States of processes. Source: proc_pid_stat(5).
const STOPPED: char = 'T';
/// In the kernel, where no signal reaches; it runs no program until that is over, and then takes the signal.
const IN_KERNEL: char = 'D';

/// Lets all of it stand still before it returns.
pub(super) fn stop(folder: &Path) -> io::Result<()> {
    signal_until(folder, Signal::STOP, |found| {
        found.values().all(|state| matches!(*state, STOPPED | IN_KERNEL))
    })
}

/// Lets all of it go on, what somebody inside had stopped too.
pub(super) fn go_on(folder: &Path) -> io::Result<()> {
    signal_until(folder, Signal::CONT, |found| found.values().all(|state| *state != STOPPED))
}

/// Ends all of it before it returns.
pub(super) fn end(folder: &Path) -> io::Result<()> {
    // What stands still starts nothing, so that one look finds everybody. What does not come to a standstill is ended all the same.
    let _ = stop(folder);
    signal_until(folder, Signal::KILL, HashMap::is_empty)
}

/// Whether all that runs of it stands still.
pub(super) fn is_stopped(folder: &Path) -> io::Result<bool> {
    Ok(of(folder)?.values().all(|state| *state == STOPPED))
}

fn signal_until(
    folder: &Path,
    signal: Signal,
    is_done: impl Fn(&HashMap<Pid, char>) -> bool,
) -> io::Result<()> {
    let mut told = HashMap::new();
    for _ in 0..LOOKS {
        let now = of(folder)?;
        if now.keys().all(|pid| told.contains_key(pid)) && is_done(&now) {
            return Ok(());
        }
        for pid in now.keys() {
            match kill_process(*pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        told = now;
        std::thread::sleep(PAUSE);
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not do as they are told"))
}

struct Seen {
    parent: i32,
    state: char,
    is_marked: bool,
}

/// Those that have not ended, with their states.
fn of(folder: &Path) -> io::Result<HashMap<Pid, char>> {
    let mut all = HashMap::new();
    // Who is just becoming the guest has neither environment nor command line for a moment. A record that says nothing is no help.
    let recorded = GenerationDir(folder.to_owned()).record().unwrap_or_default();
    let first = recorded.filter(|record| record.runs().unwrap_or(false)).map(|record| record.process.pid());
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, parent) = (fields.next(), fields.next().and_then(|parent| parent.parse().ok()));
        if let (Some(state), Some(parent)) = (state.and_then(|state| state.chars().next()), parent) {
            let is_marked = first == Some(pid) || is_marked(pid, folder);
            all.insert(pid, Seen { parent, state, is_marked });
        }
    }
    let belongs = |mut pid: i32| {
        // A chain is no longer than the table, whatever changed while it was read.
        for _ in 0..=all.len() {
            match all.get(&pid) {
                Some(seen) if seen.is_marked => return true,
                Some(seen) => pid = seen.parent,
                None => return false,
            }
        }
        false
    };
    let found = all.iter().filter(|(pid, seen)| !matches!(seen.state, 'Z' | 'X') && belongs(**pid));
    Ok(found.filter_map(|(pid, seen)| Some((Pid::from_raw(*pid)?, seen.state))).collect())
}

/// The guest's environment is closed to its own user, so its command line says it too: its spool is in the folder.
fn is_marked(pid: i32, folder: &Path) -> bool {
    let folder = folder.as_os_str().as_bytes();
    let has = |file: &str, text: &[u8]| {
        let there = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        there.split(|byte| *byte == 0).any(|part| part == text)
    };
    has("environ", &[MARK.as_bytes(), b"=", folder].concat()) || has("cmdline", &[folder, b"/spool"].concat())
}
