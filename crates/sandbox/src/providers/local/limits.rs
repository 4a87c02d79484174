//! What a sandbox may use, with the defaults of this machine filled in.

use super::cgroup::Limited;
use crate::error::{ErrorKind, SandboxError};
use lamplight_domain::SandboxLimits;
use lamplight_domain::sandbox::{Enforcement, Strength, Wall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::sysinfo;
use serde::{Deserialize, Serialize};
use std::io;

/// Unless said otherwise, and never more than half of the machine's.
const MEMORY_BYTES: u64 = 4 << 30;
const PROCESSES: u32 = 512;
const DISK_BYTES: u64 = 20 << 30;
const OPEN_FILES: u32 = 65_536;

/// The most of processors and memory that a sandbox of this machine has where these are configured.
pub fn most(configured: &SandboxLimits) -> SandboxLimits {
    let processors = std::thread::available_parallelism()
        .map_or(u32::MAX, |count| u32::try_from(count.get()).unwrap_or(u32::MAX).saturating_mul(1000));
    SandboxLimits {
        cpu_thousandths: Some(configured.cpu_thousandths.unwrap_or(processors)),
        memory_bytes: Some(configured.memory_bytes.unwrap_or_else(usual_memory)),
        ..SandboxLimits::default()
    }
}

pub(super) fn usual_memory() -> u64 {
    let machine = sysinfo();
    let memory = machine.totalram.saturating_mul(machine.mem_unit.into());
    MEMORY_BYTES.min(memory / 2)
}

/// Limits of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// `None`: all processors.
    pub(super) cpu_thousandths: Option<u32>,
    pub(super) memory_bytes: u64,
    pub(super) processes: u32,
    pub(super) disk_bytes: u64,
    pub(super) open_files: u32,
    pub(super) nested_sandboxes: bool,
}

impl Limits {
    pub(super) fn of(asked: &SandboxLimits) -> Result<Self, SandboxError> {
        asked
            .check()
            .map_err(|why| SandboxError::new(ErrorKind::Invalid, format!("sandbox limits: {why}")))?;
        Ok(Self {
            cpu_thousandths: asked.cpu_thousandths,
            memory_bytes: asked.memory_bytes.unwrap_or_else(usual_memory),
            processes: asked.processes.unwrap_or(PROCESSES),
            disk_bytes: asked.disk_bytes.unwrap_or(DISK_BYTES),
            open_files: asked.open_files.unwrap_or(OPEN_FILES),
            nested_sandboxes: asked.nested_sandboxes.unwrap_or(false),
        })
    }

    /// Those that no cgroup has. `volume` is the limit that the session's own file system was made for, where it has one.
    pub(super) fn of_files(&self, volume: Option<u64>) -> [Enforcement; 2] {
        let files = files(self.disk_bytes);
        let soft =
            format!("looked at several times a second, with at most {files} files; then no file can grow");
        let disk = volume.map_or(Strength::Soft { why: soft }, |_| Strength::Enforced);
        let limit = Some(volume.unwrap_or(self.disk_bytes));
        [
            Enforcement { wall: Wall::Disk, strength: disk, limit, by: None },
            Enforcement {
                wall: Wall::OpenFiles,
                strength: Strength::Enforced,
                limit: Some(self.open_files.into()),
                by: None,
            },
        ]
    }

    /// Lowers what PID 1, and each process after it, may use by itself. Nothing is ever raised, which needs rights that not
    /// every root has. Source: getrlimit(2).
    pub(super) fn lower(&self, limited: &Limited) -> io::Result<()> {
        self.of_each_process(limited).into_iter().try_for_each(|(resource, to)| lower(resource, to))
    }

    /// What each process may use by itself.
    pub(super) fn of_each_process(&self, limited: &Limited) -> Vec<(Resource, u64)> {
        let mut all = vec![
            // Not 0, which does not keep the kernel from starting the host's crash handler, as root and outside: with 1 it does
            // neither that nor write a file, which would be longer. Source: core(5), "Piping core dumps to a program".
            (Resource::Core, 1),
            (Resource::Nofile, self.open_files.into()),
            // No file is larger than all of them may be.
            (Resource::Fsize, self.disk_bytes),
        ];
        if !limited.memory {
            // Each process alone. What is reserved without being writable, as garbage collectors do, does not count.
            all.push((Resource::Data, self.memory_bytes));
        }
        if !limited.processes {
            // Counted in our own user namespace, so that sandboxes of one user do not count together (Linux 5.14). It is
            // not set beside a cgroup, which would then never be the one that says no, and tells how often it did.
            all.push((Resource::Nproc, self.processes.into()));
        }
        all
    }
}

/// How many files there may be within a limit on disk: one for each 16 KiB, as file systems are made with (mke2fs.conf(5),
/// `inode_ratio`), and as many as any checkout needs.
pub(super) fn files(disk_bytes: u64) -> u64 {
    const LEAST: u64 = 16 * 1024;
    (disk_bytes / (16 * 1024)).max(LEAST)
}

fn lower(resource: Resource, to: u64) -> io::Result<()> {
    let Rlimit { current, .. } = getrlimit(resource);
    let (soft, hard) = (current.map_or(to, |limit| limit.min(to)), at_most(resource, to));
    Ok(setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })?)
}

/// That, or the limit that this process has, which is never raised.
pub(super) fn at_most(resource: Resource, to: u64) -> u64 {
    getrlimit(resource).maximum.map_or(to, |limit| limit.min(to))
}
