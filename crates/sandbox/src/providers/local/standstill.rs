//! Pausing: everything in a sandbox stands still, in memory, and goes on as if nothing had been.
//!
//! The freezer of a cgroup does it at once, and nothing inside can tell. Where there is none, each process is stopped by a
//! signal; then a shell inside may see that its children were stopped, and what somebody inside had stopped goes on with the rest.

use super::record::{Process, Record};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// Looks at all processes until none is left that runs. What is started in between is found by the next look.
const LOOKS: u32 = 3_000;
/// Between two looks: a signal is taken when its process is next on a processor.
const PAUSE: Duration = Duration::from_millis(1);

impl Record {
    pub(super) fn pause(&self) -> io::Result<()> {
        match self.cgroups.freeze(true)? {
            true => Ok(()),
            false => signal_until(&self.process, Signal::STOP, |state| matches!(state, STOPPED | IN_KERNEL)),
        }
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        match self.cgroups.freeze(false)? {
            true => Ok(()),
            false => signal_until(&self.process, Signal::CONT, |state| state != STOPPED),
        }
    }
}

/// States of processes, as proc_pid_stat(5) has them.
const STOPPED: char = 'T';
/// Waits for something that no signal interrupts, such as a child of vfork(2) that was stopped before it executed anything. It runs no
/// program until that is over, and then takes the signal that it has been sent.
const IN_KERNEL: char = 'D';

/// Sends the signal to PID 1 of the sandbox and all that comes from it, until each of them has been sent it and is in one of the states.
/// It is sent again and whatever the state: one to go on takes back one to stop that was not taken yet.
fn signal_until(first: &Process, signal: Signal, is_done: impl Fn(char) -> bool) -> io::Result<()> {
    let mut told = inside(first)?;
    for _ in 0..LOOKS {
        for pid in told.keys() {
            match kill_process(*pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let now = inside(first)?;
        if now.iter().all(|(pid, state)| told.contains_key(pid) && is_done(*state)) {
            return Ok(());
        }
        told = now;
        std::thread::sleep(PAUSE);
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not come to a standstill"))
}

/// PID 1 of the sandbox and its descendants, whoever loses its parent included, with their states; not those that have ended.
/// Source: proc_pid_stat(5).
fn inside(first: &Process) -> io::Result<HashMap<Pid, char>> {
    let mut all = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, parent) = (fields.next(), fields.next().and_then(|parent| parent.parse::<i32>().ok()));
        if let (Some(state), Some(parent)) = (state.and_then(|state| state.chars().next()), parent) {
            all.insert(pid, (parent, state));
        }
    }
    let descends = |mut pid: i32| {
        // A chain is no longer than the table, whatever changed while it was read.
        for _ in 0..=all.len() {
            match all.get(&pid) {
                _ if pid == first.pid() => return true,
                Some((parent, _)) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    let found = all.iter().filter(|(pid, (_, state))| !matches!(state, 'Z' | 'X') && descends(**pid));
    Ok(found.filter_map(|(pid, (_, state))| Some((Pid::from_raw(*pid)?, *state))).collect())
}
