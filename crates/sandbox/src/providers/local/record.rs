//! `sandbox.json`: what a restart needs to know about a sandbox, and how to end what it names.

use super::breach;
use super::cgroup::{self, Cgroups};
use super::disk::GenerationDir;
use super::memory;
use super::watch;
use crate::provider::Inspection;
use lamplight_domain::sandbox::{LimitHit, Wall};
use lamplight_domain::{Enforced, Generation, SessionId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;

/// From SIGKILL of PID 1 to the end of everything in its PID namespace.
const END: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// One sandbox that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) session: SessionId,
    pub(super) generation: Generation,
    pub(super) process: Process,
    /// Whether its guest was started. Until then the process ends with its launcher.
    pub(super) ready: bool,
    #[serde(flatten)]
    pub(super) cgroups: Cgroups,
    /// Of one whose runtime brings a kernel: the process is that, and the guest none of the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own_kernel: Option<OwnKernel>,
    /// Of one that is ready; earlier releases did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enforced: Option<Enforced>,
}

/// What is asked of a sandbox's own kernel, as nothing is handed out by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnKernel {
    pub(super) has_way_out: bool,
}

/// A process, told apart from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::providers) struct Process {
    pid: i32,
    /// Clock ticks from boot to its start. Source: proc_pid_stat(5), field 22.
    started: u64,
    /// `/proc/sys/kernel/random/boot_id`: the ticks start again with every boot.
    boot: String,
}

impl Record {
    pub(super) fn runs(&self) -> io::Result<bool> {
        Ok(self.process.open()?.is_some())
    }

    /// What is known of it, whether it runs or not.
    pub(super) fn inspect(&self, here: &GenerationDir) -> Inspection {
        let mut hits = Vec::new();
        if let Some(enforced) = &self.enforced {
            hits = cgroup::hits(&self.cgroups, enforced);
            for (wall, mark) in [(Wall::Memory, memory::SHORT), (Wall::Disk, watch::FULL)] {
                let times = breach::times(&here.0.join(mark));
                let limit = self.limit(wall).filter(|_| times > 0);
                hits.extend(limit.map(|limit| LimitHit { wall, limit, times }));
            }
        }
        Inspection { enforced: self.enforced.clone(), hits, notes: Vec::new() }
    }

    /// In the limit's unit; `None` of a sandbox without.
    pub(super) fn limit(&self, wall: Wall) -> Option<u64> {
        self.enforced.as_ref()?.0.iter().find(|row| row.wall == wall)?.limit
    }

    /// Kills everything in the sandbox and waits until it is gone. The end of PID 1 is the end of its namespace: the
    /// kernel kills and reaps all others before it reports PID 1 dead (pid_namespaces(7)).
    pub(super) fn end(&self) -> io::Result<()> {
        self.cgroups.kill()?;
        if let Some(process) = self.process.open()? {
            match pidfd_send_signal(&process, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
            let mut ended = [PollFd::new(&process, PollFlags::IN)];
            if rustix::io::retry_on_intr(|| poll(&mut ended, Some(&END)))? == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not end"));
            }
        }
        self.cgroups.remove()
    }
}

impl Process {
    /// The process that has this number now.
    pub(in crate::providers) fn now(pid: i32) -> io::Result<Self> {
        let started = stat(pid)?.ok_or_else(|| io::Error::from(Errno::SRCH))?.started;
        Ok(Self { pid, started, boot: boot_id()? })
    }

    /// It may be another process's by now.
    pub(in crate::providers) fn pid(&self) -> i32 {
        self.pid
    }

    /// Since its start; `None` of one that has ended.
    pub(super) fn age_ms(&self) -> Option<u64> {
        self.open().ok()??;
        // Source: proc_uptime(5): seconds since boot, with two digits behind the point.
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
        let now_ms = seconds.parse::<u64>().ok()? * 1000 + hundredths.parse::<u64>().ok()? * 10;
        let started_ms = self.started.saturating_mul(1000) / rustix::param::clock_ticks_per_second();
        Some(now_ms.saturating_sub(started_ms))
    }

    /// A descriptor of exactly this process; `None` when it has ended.
    pub(in crate::providers) fn open(&self) -> io::Result<Option<OwnedFd>> {
        if self.boot != boot_id()? {
            return Ok(None);
        }
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        // Opened before it is looked at: what the descriptor names can no longer change.
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let same = stat(self.pid)?.is_some_and(|now| now.started == self.started && !now.ended);
        Ok(same.then_some(descriptor))
    }
}

struct Stat {
    started: u64,
    /// A zombie: its parent has not asked for its exit status yet, and may never.
    ended: bool,
}

fn stat(pid: i32) -> io::Result<Option<Stat>> {
    let text = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
        Err(error) => return Err(error),
    };
    // The name is in parentheses and may hold anything, these included; field 3 follows the last one.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    match (fields.first(), fields.get(19).and_then(|ticks| ticks.parse().ok())) {
        (Some(&state), Some(started)) => Ok(Some(Stat { started, ended: matches!(state, "Z" | "X") })),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat: {text:?}"))),
    }
}

/// Another after each start of the machine.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Process {
        Process::now(i32::try_from(std::process::id()).unwrap()).unwrap()
    }

    #[test]
    fn a_process_is_found_again_and_not_mistaken() {
        assert!(own().open().unwrap().is_some());
        assert!(own().age_ms().unwrap() < 3_600_000);
        assert_eq!(Process { started: own().started + 1, ..own() }.age_ms(), None);
        assert!(Process { started: own().started + 1, ..own() }.open().unwrap().is_none());
        assert!(Process { boot: "another".into(), ..own() }.open().unwrap().is_none());
        assert!(Process { pid: i32::MAX, ..own() }.open().unwrap().is_none());
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::now(i32::try_from(child.id()).unwrap()).unwrap();
        let descriptor = process.open().unwrap().unwrap();
        child.kill().unwrap();
        assert_eq!(poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&END)).unwrap(), 1);
        assert!(process.open().unwrap().is_none());
        child.wait().unwrap();
    }
}
