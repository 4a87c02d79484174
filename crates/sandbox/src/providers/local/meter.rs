//! What a sandbox uses now: what its cgroups count, and where it has none, what its processes say of themselves.

use super::Local;
use super::cgroup;
use super::processes::inside;
use super::record::Record;
use crate::error::SandboxError;
use crate::handle::Handle;
use crate::provider::Used;
use std::fs;

impl Local {
    pub(super) async fn measure(&self, handle: &Handle) -> Result<Used, SandboxError> {
        let (_, record) = self.running(handle)?;
        let disk_bytes = self.watch.taken(&record.session);
        let used = tokio::task::spawn_blocking(move || used(&record)).await;
        Ok(Used { disk_bytes, ..used.unwrap_or_default() })
    }
}

/// Of a sandbox that runs; without its disk, which somebody else looks at.
fn used(record: &Record) -> Used {
    let counted = cgroup::used(&record.cgroups);
    let own_kernel = record.own_kernel.is_some();
    let mut processes = None;
    let mut of_processes = || *processes.get_or_insert_with(|| sum(&inside(record)));
    Used {
        memory_bytes: counted.memory_bytes.or_else(|| of_processes().memory_bytes),
        // Those of a kernel of its own are not those inside.
        processes: counted.processes.or_else(|| of_processes().processes).filter(|_| !own_kernel),
        cpu_ms: counted.cpu_ms.or_else(|| of_processes().cpu_ms),
        disk_bytes: None,
        age_ms: record.process.age_ms(),
    }
}

/// Shared memory is counted for each of them. One that ends meanwhile does not count.
fn sum(processes: &[i32]) -> Used {
    let (mut memory, mut threads, mut ticks) = (0, 0, 0);
    for process in processes {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        memory += (number(&status, "RssAnon:") + number(&status, "RssShmem:")).saturating_mul(1024);
        threads += number(&status, "Threads:");
        ticks += time(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default());
    }
    let cpu_ms = ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second();
    Used { memory_bytes: Some(memory), processes: Some(threads), cpu_ms: Some(cpu_ms), ..Used::default() }
}

/// Of a line such as `RssAnon:   900 kB`. Source: proc_pid_status(5).
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// In ticks, with that of its children that have ended. Source: proc_pid_stat(5), fields 14 to 17; field 3 follows the name.
fn time(stat: &str) -> u64 {
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_what_it_uses() {
        let ours = i32::try_from(std::process::id()).unwrap();
        let Used { memory_bytes, processes, cpu_ms, .. } = sum(&[ours]);
        assert!(memory_bytes.unwrap() > 100_000, "{memory_bytes:?}");
        assert!(processes.unwrap() >= 1 && cpu_ms.is_some());
        let twice = sum(&[ours, ours]);
        assert!(twice.memory_bytes > memory_bytes && twice.processes > processes);
    }

    #[test]
    fn processor_time_is_that_of_a_process_and_of_its_ended_children() {
        assert_eq!(time("7 (a) b) S 1 7 7 0 -1 4194560 9 9 9 9 20 3 100 4 20 0 1 0 55"), 127);
        assert_eq!(time(""), 0);
    }
}
