//! The memory of a sandbox that has no cgroup for it: each process has a limit of its own, and what they have together is looked at.
//! When that is more than the limit the largest process is ended, as the kernel does it with a cgroup.

use super::breach;
use super::disk::GenerationDir;
use super::processes::inside;
use super::record::Record;
use lamplight_domain::sandbox::{Strength, Wall};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;

/// Kept in the sandbox's folder; what it holds is how often a process was ended.
pub(super) const SHORT: &str = "memory-short";

/// The limit in bytes of one whose memory no cgroup limits. That of a kernel of its own is not its processes'.
pub(super) fn soft_limit(record: &Record) -> Option<u64> {
    if record.own_kernel.is_some() {
        return None;
    }
    let row = record.enforced.as_ref()?.0.iter().find(|row| row.wall == Wall::Memory)?;
    match row.strength {
        Strength::Soft { .. } | Strength::Missing { .. } => row.limit,
        Strength::Enforced => None,
    }
}

pub(super) fn look(here: &GenerationDir, record: &Record, limit: u64) -> io::Result<()> {
    // The guest's is bounded.
    let all: Vec<i32> = inside(record).into_iter().skip(1).collect();
    // What they share is counted for each of them: no more than this can be used.
    if all.iter().map(|process| resident(*process)).sum::<u64>() <= limit {
        return Ok(());
    }
    let mut sizes: Vec<(u64, i32)> = all.iter().map(|process| (own(*process), *process)).collect();
    if sizes.iter().map(|(bytes, _)| bytes).sum::<u64>() <= limit {
        return Ok(());
    }
    sizes.sort_unstable();
    let largest = sizes.last().map(|(_, process)| *process);
    if let Some(largest) = largest.filter(|largest| inside(record).contains(largest)) {
        if let Some(largest) = Pid::from_raw(largest) {
            // It may have ended meanwhile.
            let _ = kill_process(largest, Signal::KILL);
        }
        breach::begin(&here.0.join(SHORT))?;
        breach::end(&here.0.join(SHORT))?;
    }
    Ok(())
}

/// In bytes, with all that it shares. Source: proc_pid_status(5).
fn resident(process: i32) -> u64 {
    sum(&fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default(), &["VmRSS:", "VmSwap:"])
}

/// In bytes, with its share of what it shares, without what is also in files. Source: the kernel's filesystems/proc, "smaps_rollup".
fn own(process: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    sum(&rollup, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"])
}

/// Of lines such as `VmRSS:   900 kB`, in bytes.
fn sum(text: &str, names: &[&str]) -> u64 {
    let kib = |line: &str| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        names.contains(&name).then(|| value.trim().strip_suffix(" kB")?.parse::<u64>().ok())?
    };
    text.lines().filter_map(kib).sum::<u64>().saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_share_of_what_it_shares() {
        let rollup = "00400000-7ffd000 ---p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss:  500 kB\n\
            Pss_Anon:  300 kB\nPss_File:  100 kB\nPss_Shmem:  100 kB\nSwapPss:  7 kB\n";
        assert_eq!(sum(rollup, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"]), 407 * 1024);
        let ours = i32::try_from(std::process::id()).unwrap();
        assert!(own(ours) > 0 && resident(ours) > 0);
    }
}
