//! Limits written into cgroups, and what was run into read back from them.
//!
//! When memory runs out the kernel ends the largest process, not the whole sandbox (`memory.oom.group` stays 0, and version 1
//! knows nothing else): a build that is too large fails as a command, in front of the agent, and the session goes on.
//!
//! Sources: the kernel's admin-guide/cgroup-v2; admin-guide/cgroup-v1 memory and pids; scheduler/sched-bwc.

use super::super::limits::Limits;
use super::{Cgroups, Controller, Place};
use crate::provider::Used;
use lamplight_domain::sandbox::{Enforced, Enforcement, LimitHit, Strength, Wall};
use std::fs;
use std::io;
use std::path::Path;

/// Processor time is given out in portions of this length.
const PERIOD_US: u64 = 100_000;

/// Gives a new cgroup of version 2 the controllers that it does not have yet: each level above has to pass them on.
pub(super) fn delegate_missing(place: &Place, path: &Path) {
    for controller in &place.controllers {
        if path.join(format!("{}.max", controller.name())).exists() {
            continue;
        }
        let pass_on =
            |level: &Path| fs::write(level.join("cgroup.subtree_control"), format!("+{}", controller.name()));
        // What is not passed on is missing below, and told as such when a limit is written.
        let _ = place.folder.parent().map(pass_on).map(|_| pass_on(&place.folder));
    }
}

/// What came of writing limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Limited {
    /// What holds of them, by cgroups or by what each process is given (see [`Limits::lower`]).
    pub(in super::super) rows: [Enforcement; 3],
    /// Whether it is a cgroup that limits memory, and processes.
    pub(in super::super) memory: bool,
    pub(in super::super) processes: bool,
}

/// Writes the limits of a sandbox; what of them holds. `refused` are reasons why a hierarchy could not be entered.
pub(in super::super) fn limit(cgroups: &Cgroups, limits: &Limits, refused: &[String]) -> Limited {
    let why = |controller: Controller| match refused.first() {
        Some(refused) => format!("its cgroup cannot be used: {refused}"),
        None => format!("no cgroup with the {} controller can be made here", controller.name()),
    };
    let row = |wall, strength, limit| Enforcement { wall, strength, limit, by: None };
    let missing = |why| Strength::Missing { why };

    let memory = apply(cgroups, |at| limit_memory(at, limits.memory_bytes));
    let memory_held = matches!(memory, Some(Ok(())));
    let memory = match memory {
        Some(Ok(())) => Strength::Enforced,
        Some(Err(error)) => missing(error.to_string()),
        None => Strength::Soft {
            why: format!("of all together by looking several times a second, as {}", why(Controller::Memory)),
        },
    };
    // Where this cannot be written the kernel counts in the sandbox's own user namespace (RLIMIT_NPROC).
    let processes = apply(cgroups, |at| limit_processes(at, limits.processes));
    let cpu = limits.cpu_thousandths.map(|thousandths| apply(cgroups, |at| limit_cpu(at, thousandths)));
    let cpu = match cpu {
        Some(Some(Err(error))) => missing(error.to_string()),
        Some(None) => missing(why(Controller::Cpu)),
        // No limit is no wall to miss.
        None | Some(Some(Ok(()))) => Strength::Enforced,
    };
    let rows = [
        row(Wall::Cpu, cpu, limits.cpu_thousandths.map(u64::from)),
        row(Wall::Memory, memory, Some(limits.memory_bytes)),
        row(Wall::Processes, Strength::Enforced, Some(limits.processes.into())),
    ];
    Limited { rows, memory: memory_held, processes: matches!(processes, Some(Ok(()))) }
}

/// Tries every cgroup until one has the file; `None` when none has.
fn apply(cgroups: &Cgroups, mut limit: impl FnMut(At<'_>) -> io::Result<()>) -> Option<io::Result<()>> {
    let unified = cgroups.unified.iter().map(|path| At { path, unified: true });
    let legacy = cgroups.legacy.iter().map(|path| At { path, unified: false });
    unified.chain(legacy).map(&mut limit).find(|tried| match tried {
        Err(error) => error.kind() != io::ErrorKind::NotFound,
        Ok(()) => true,
    })
}

/// One cgroup.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a Path,
    unified: bool,
}

impl At<'_> {
    /// Never makes a file: in a cgroup all that can be written is there. Why it fails names the file.
    fn write(self, file: &str, value: &str) -> io::Result<()> {
        let path = self.path.join(file);
        let written = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut at| io::Write::write_all(&mut at, value.as_bytes()));
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("write {value} to {}: {error}", path.display()))
        })
    }

    /// Like `write`, of something that not every kernel has.
    fn write_if_there(self, file: &str, value: &str) -> io::Result<()> {
        match self.write(file, value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

fn limit_memory(at: At<'_>, bytes: u64) -> io::Result<()> {
    let bytes = bytes.to_string();
    if at.unified {
        at.write("memory.max", &bytes)?;
        return at.write_if_there("memory.swap.max", "0");
    }
    at.write("memory.limit_in_bytes", &bytes)?;
    // Memory and swap together, where swap is counted.
    at.write_if_there("memory.memsw.limit_in_bytes", &bytes)
}

fn limit_processes(at: At<'_>, processes: u32) -> io::Result<()> {
    at.write("pids.max", &processes.to_string())
}

fn limit_cpu(at: At<'_>, thousandths: u32) -> io::Result<()> {
    let quota = u64::from(thousandths) * PERIOD_US / 1000;
    if at.unified {
        return at.write("cpu.max", &format!("{quota} {PERIOD_US}"));
    }
    at.write("cpu.cfs_period_us", &PERIOD_US.to_string())?;
    at.write("cpu.cfs_quota_us", &quota.to_string())
}

/// What was run into since the sandbox was made.
pub(in super::super) fn hits(cgroups: &Cgroups, enforced: &Enforced) -> Vec<LimitHit> {
    // The first two names are those of the two versions.
    let counts = [
        (Wall::Memory, "memory.events", "oom_kill"),
        (Wall::Memory, "memory.oom_control", "oom_kill"),
        (Wall::Processes, "pids.events", "max"),
    ];
    let found = counts.into_iter().filter_map(|(wall, file, key)| {
        let all = cgroups.unified.iter().chain(&cgroups.legacy);
        let times = all.filter_map(|path| count(&fs::read_to_string(path.join(file)).ok()?, key)).sum();
        let limit = enforced.0.iter().find(|row| row.wall == wall)?.limit?;
        (times > 0).then_some(LimitHit { wall, limit, times })
    });
    found.collect()
}

/// What its cgroups count of it.
pub(in super::super) fn used(cgroups: &Cgroups) -> Used {
    let all = || cgroups.unified.iter().chain(&cgroups.legacy);
    let read = |file: &str| all().find_map(|path| fs::read_to_string(path.join(file)).ok());
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    // Each first name is that of version 2.
    let taken = number("memory.current").or_else(|| number("memory.usage_in_bytes"));
    let stat = taken.and_then(|_| read("memory.stat")).unwrap_or_default();
    let files = count(&stat, "total_inactive_file").or_else(|| count(&stat, "inactive_file")).unwrap_or(0);
    // Version 2 counts it where no controller is, too.
    let microseconds = read("cpu.stat").and_then(|text| count(&text, "usage_usec"));
    let nanoseconds = || number("cpuacct.usage");
    Used {
        memory_bytes: taken.map(|taken| taken.saturating_sub(files)),
        processes: number("pids.current"),
        cpu_ms: microseconds.map(|us| us / 1000).or_else(|| nanoseconds().map(|ns| ns / 1_000_000)),
        ..Used::default()
    }
}

/// A number of a file of lines such as `oom_kill 3`.
fn count(text: &str, key: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        cpu_thousandths: Some(1500),
        memory_bytes: 1 << 30,
        processes: 100,
        disk_bytes: 1 << 30,
        open_files: 1024,
        nested_sandboxes: false,
    };

    /// A folder with the files of a cgroup.
    fn cgroup(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    fn read(folder: &tempfile::TempDir) -> Vec<(String, String)> {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let read = files
            .map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap()));
        let mut read: Vec<_> = read.collect();
        read.sort();
        read
    }

    fn texts<'a>(rows: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
        rows.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn version_2_is_told_in_its_words() {
        let folder = cgroup(&["cpu.max", "memory.max", "memory.swap.max", "pids.max"]);
        let cgroups = Cgroups { unified: Some(folder.path().into()), legacy: Vec::new() };
        let rows = limit(&cgroups, &LIMITS, &[]).rows;
        assert!(rows.iter().all(|row| row.strength == Strength::Enforced), "{rows:?}");
        let wanted = [
            ("cpu.max", "150000 100000"),
            ("memory.max", "1073741824"),
            ("memory.swap.max", "0"),
            ("pids.max", "100"),
        ];
        assert_eq!(read(&folder), texts(&wanted));
    }

    #[test]
    fn version_1_is_told_in_its_own_beside_a_version_2_without_controllers() {
        let unified = cgroup(&["cgroup.kill"]);
        let cpu = cgroup(&["cpu.cfs_period_us", "cpu.cfs_quota_us"]);
        let memory = cgroup(&["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]);
        let pids = cgroup(&["pids.max"]);
        let legacy = [&cpu, &memory, &pids].map(|folder| folder.path().to_owned()).to_vec();
        let cgroups = Cgroups { unified: Some(unified.path().into()), legacy };
        let rows = limit(&cgroups, &LIMITS, &[]).rows;
        assert!(rows.iter().all(|row| row.strength == Strength::Enforced), "{rows:?}");
        assert_eq!(read(&unified), texts(&[("cgroup.kill", "")]));
        assert_eq!(read(&cpu), texts(&[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000")]));
        let both = [("memory.limit_in_bytes", "1073741824"), ("memory.memsw.limit_in_bytes", "1073741824")];
        assert_eq!(read(&memory), texts(&both));
        assert_eq!(read(&pids), texts(&[("pids.max", "100")]));
    }

    #[test]
    fn what_cannot_be_limited_is_told_with_the_reason() {
        let rows = limit(&Cgroups::default(), &LIMITS, &[]).rows;
        let missing = Strength::Missing { why: "no cgroup with the cpu controller can be made here".into() };
        assert_eq!(rows[0], Enforcement { wall: Wall::Cpu, strength: missing, limit: Some(1500), by: None });
        let soft = "of all together by looking several times a second, as no cgroup with the memory controller can be made here";
        assert_eq!(rows[1].strength, Strength::Soft { why: soft.into() });
        // All of the machine is no limit that could be missing.
        let rows = limit(&Cgroups::default(), &Limits { cpu_thousandths: None, ..LIMITS }, &[]).rows;
        assert_eq!(
            rows[0],
            Enforcement { wall: Wall::Cpu, strength: Strength::Enforced, limit: None, by: None }
        );
    }

    #[test]
    fn what_is_used_is_read_in_both_versions() {
        let folder = |files: &[(&str, &str)]| {
            let folder = cgroup(&[]);
            for (file, text) in files {
                fs::write(folder.path().join(file), text).unwrap();
            }
            folder
        };
        let wanted =
            Used { memory_bytes: Some(900), processes: Some(7), cpu_ms: Some(1_500), ..Used::default() };
        let unified = folder(&[
            ("memory.current", "1000\n"),
            ("memory.stat", "anon 900\ninactive_file 100\n"),
            ("pids.current", "7\n"),
            ("cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
        ]);
        let two = Cgroups { unified: Some(unified.path().into()), legacy: Vec::new() };
        assert_eq!(used(&two), wanted);
        let empty = folder(&[]);
        let memory = folder(&[
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
        ]);
        let (pids, cpu) = (folder(&[("pids.current", "7\n")]), folder(&[("cpuacct.usage", "1500000000\n")]));
        let legacy = [&memory, &pids, &cpu].map(|folder| folder.path().to_owned()).to_vec();
        assert_eq!(used(&Cgroups { unified: Some(empty.path().into()), legacy }), wanted);
        assert_eq!(used(&Cgroups::default()), Used::default());
    }

    #[test]
    fn what_was_run_into_is_read_in_both_versions() {
        let enforced = Enforced(limit(&Cgroups::default(), &LIMITS, &[]).rows.to_vec());
        let memory = LimitHit { wall: Wall::Memory, limit: 1 << 30, times: 2 };
        let processes = LimitHit { wall: Wall::Processes, limit: 100, times: 7 };
        let check = |file: &str, text: &str, hit: &[&LimitHit]| {
            let folder = cgroup(&[]);
            fs::write(folder.path().join(file), text).unwrap();
            let path = folder.path().to_owned();
            let cgroups = Cgroups { unified: None, legacy: vec![path] };
            assert_eq!(hits(&cgroups, &enforced).iter().collect::<Vec<_>>(), hit, "{file}");
        };
        check("memory.events", "low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", &[&memory]);
        check("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", &[&memory]);
        check("pids.events", "max 7\n", &[&processes]);
        check("pids.events", "max 0\n", &[]);
    }
}
