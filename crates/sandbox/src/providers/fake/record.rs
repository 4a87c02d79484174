//! `sandbox.json`: what a restart needs to know about a sandbox.

use crate::providers::local::record::Process;
use lamplight_domain::SandboxLimits;
use lamplight_domain::sandbox::{Enforced, Enforcement, Strength, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

/// One sandbox that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The guest.
    pub(super) process: Process,
    /// Where the gateway is reached inside.
    pub(super) gateway: SocketAddr,
    /// As they were asked for; see [`Record::enforced`].
    pub(super) limits: SandboxLimits,
    /// As it was asked for.
    pub(super) environment: BTreeMap<String, String>,
}

impl Record {
    pub(super) fn runs(&self) -> io::Result<bool> {
        Ok(self.process.open()?.is_some())
    }

    /// That there is no wall, and no limit.
    pub(super) fn enforced(&self) -> Enforced {
        let limits = &self.limits;
        let row = |wall, limit: Option<u64>| {
            let why = "the fake isolates nothing".to_owned();
            Enforcement { wall, strength: Strength::Missing { why }, limit, by: None }
        };
        let walls = [
            Wall::Namespaces,
            Wall::Capabilities,
            Wall::SystemCalls,
            Wall::HostUser,
            Wall::FileRules,
            Wall::KernelFiles,
            Wall::Network,
        ];
        let limited = [
            (Wall::Cpu, limits.cpu_thousandths.map(u64::from)),
            (Wall::Memory, limits.memory_bytes),
            (Wall::Processes, limits.processes.map(u64::from)),
            (Wall::Disk, limits.disk_bytes),
            (Wall::OpenFiles, limits.open_files.map(u64::from)),
        ];
        let walls = walls.into_iter().map(|wall| row(wall, None));
        Enforced(walls.chain(limited.into_iter().map(|(wall, limit)| row(wall, limit))).collect())
    }
}
