//! Pausing: everything in a sandbox stands still, in memory, and goes on as if nothing had been.
//!
//! The freezer of a cgroup does it at once, and nothing inside can tell. Where there is none, each process is stopped by a
//! signal; then a shell inside may see that its children were stopped, and what somebody inside had stopped goes on with the rest.

use super::record::{Process, Record};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::io;

/// Looks at all processes until none is left that runs. What is started in between is found by the next look.
const LOOKS: u32 = 200;

impl Record {
    pub(super) fn pause(&self) -> io::Result<()> {
        match self.cgroups.freeze(true)? {
            true => Ok(()),
            false => signal_until(&self.process, Signal::STOP, |state| state != 'T'),
        }
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        match self.cgroups.freeze(false)? {
            true => Ok(()),
            false => signal_until(&self.process, Signal::CONT, |state| state == 'T'),
        }
    }
}

/// Sends the signal to PID 1 of the sandbox and all that comes from it, for as long as one of them is in a state to get it.
fn signal_until(first: &Process, signal: Signal, wants: impl Fn(char) -> bool) -> io::Result<()> {
    for _ in 0..LOOKS {
        let mut left = 0;
        for (pid, state) in inside(first)? {
            // A zombie has nothing left to stop.
            if matches!(state, 'Z' | 'X') || !wants(state) {
                continue;
            }
            left += 1;
            match kill_process(pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if left == 0 {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not come to a standstill"))
}

/// PID 1 of the sandbox and its descendants, whoever loses its parent included, with their states. Source: proc_pid_stat(5).
fn inside(first: &Process) -> io::Result<Vec<(Pid, char)>> {
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
    let found = all.iter().filter(|(pid, _)| descends(**pid));
    Ok(found.filter_map(|(pid, (_, state))| Some((Pid::from_raw(*pid)?, *state))).collect())
}
