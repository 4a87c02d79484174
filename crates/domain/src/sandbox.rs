//! What a sandbox may use, and what really keeps it in: asked for as data, answered as data.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What one sandbox may use of the machine; `None` is this installation's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxLimits {
    /// Processor time, in thousandths of one processor. Default: all that the machine has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_thousandths: Option<u32>,
    /// Memory of everything inside, together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// All files of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Of each process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Whether programs inside may make sandboxes of their own, as browsers do. That opens more of the kernel to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested_sandboxes: Option<bool>,
}

impl SandboxLimits {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn over(self, others: &Self) -> Self {
        Self {
            cpu_thousandths: self.cpu_thousandths.or(others.cpu_thousandths),
            memory_bytes: self.memory_bytes.or(others.memory_bytes),
            processes: self.processes.or(others.processes),
            disk_bytes: self.disk_bytes.or(others.disk_bytes),
            open_files: self.open_files.or(others.open_files),
            nested_sandboxes: self.nested_sandboxes.or(others.nested_sandboxes),
        }
    }

    /// The same, and where they say something of processors and memory, no more than `most`.
    #[must_use]
    pub fn within(self, most: &Self) -> Self {
        fn less<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, _) => one,
            }
        }
        Self {
            cpu_thousandths: less(self.cpu_thousandths, most.cpu_thousandths),
            memory_bytes: less(self.memory_bytes, most.memory_bytes),
            ..self
        }
    }

    /// Why no sandbox can live within these, if none can.
    pub fn check(&self) -> Result<(), String> {
        let least = |name: &str, value: Option<u64>, least: u64| match value {
            Some(value) if value < least => Err(format!("{name} is {value}; the least is {least}")),
            Some(_) | None => Ok(()),
        };
        least("cpu_thousandths", self.cpu_thousandths.map(u64::from), 10)?;
        least("memory_bytes", self.memory_bytes, 16 << 20)?;
        least("processes", self.processes.map(u64::from), 16)?;
        least("disk_bytes", self.disk_bytes, 1 << 20)?;
        least("open_files", self.open_files.map(u64::from), 64)
    }
}

/// What a machine is able to do about a sandbox, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Every wall stands and every limit holds.
    Isolated,
    /// The walls that nothing runs without stand; what is missing or soft is known by name.
    Limited,
    /// A wall that nothing runs without is missing. What runs all the same was allowed to as unsafe.
    Refused,
}

/// One thing that keeps a sandbox in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// Mounts, processes, network, IPC, host name and users of its own.
    Namespaces,
    /// No capability, and no way to get one.
    Capabilities,
    /// Only the system calls on a list.
    SystemCalls,
    /// On the host it is a user that nothing else belongs to.
    HostUser,
    /// A second, independent rule about what can be written and whom signals reach (Landlock).
    FileRules,
    /// Files of `/proc` that tell of the machine or change it are hidden or cannot be written.
    KernelFiles,
    /// Programs reach of the outside what the session's policy allows, and need not know how.
    Network,
    Cpu,
    Memory,
    Processes,
    Disk,
    OpenFiles,
}

impl Wall {
    /// Whether nothing runs without it, unless a person says so.
    pub fn is_required(self) -> bool {
        match self {
            Self::Namespaces | Self::Capabilities | Self::SystemCalls => true,
            Self::HostUser
            | Self::FileRules
            | Self::KernelFiles
            | Self::Network
            | Self::Cpu
            | Self::Memory
            | Self::Processes
            | Self::Disk
            | Self::OpenFiles => false,
        }
    }

    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Capabilities => "capabilities",
            Self::SystemCalls => "system calls",
            Self::HostUser => "host user",
            Self::FileRules => "file rules",
            Self::KernelFiles => "kernel files",
            Self::Network => "network",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::OpenFiles => "open files",
        }
    }
}

/// How a wall stands in one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enforcement {
    pub wall: Wall,
    #[serde(flatten)]
    pub strength: Strength,
    /// Of a limit: how much, in its unit ([`SandboxLimits`]); `None` of a wall, and where as much as there is may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The program that put it up, where that is not Lamplight itself: the name of a container runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "strength", rename_all = "snake_case")]
#[schema(as = log::Strength)]
pub enum Strength {
    /// By the kernel, without exception.
    Enforced,
    /// In part, or late.
    Soft {
        why: String,
    },
    Missing {
        why: String,
    },
}

/// What was really enforced of one sandbox when it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Enforced(pub Vec<Enforcement>);

impl Enforced {
    pub fn tier(&self) -> Tier {
        let missing = |row: &Enforcement| matches!(row.strength, Strength::Missing { .. });
        if self.0.iter().any(|row| row.wall.is_required() && missing(row)) {
            Tier::Refused
        } else if self.0.iter().any(|row| row.strength != Strength::Enforced) {
            Tier::Limited
        } else {
            Tier::Isolated
        }
    }

    /// Whether it runs although a wall is missing that nothing should run without.
    pub fn is_unsafe(&self) -> bool {
        self.tier() == Tier::Refused
    }
}

/// A limit that something inside ran into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    pub wall: Wall,
    /// In the limit's unit.
    pub limit: u64,
    /// How often since the sandbox was made: of memory, processes that were ended for it.
    pub times: u64,
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.wall {
            Wall::Memory => write!(f, "out of memory (limit {})", Bytes(limit)),
            Wall::Disk => write!(f, "out of disk space (limit {})", Bytes(limit)),
            Wall::Processes => write!(f, "too many processes (limit {limit})"),
            Wall::OpenFiles => write!(f, "too many open files (limit {limit})"),
            Wall::Cpu => write!(f, "out of processor time (limit {limit} thousandths)"),
            Wall::Namespaces
            | Wall::Capabilities
            | Wall::SystemCalls
            | Wall::HostUser
            | Wall::FileRules
            | Wall::KernelFiles
            | Wall::Network => write!(f, "{} refused something", self.wall.name()),
        }
    }
}

/// A number of bytes as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) if self.0.is_multiple_of(unit) => write!(f, "{} {name}", self.0 / unit),
            Some((unit, name)) => {
                write!(f, "{}.{} {name}", self.0 / unit, (u128::from(self.0 % unit) * 10) / u128::from(unit))
            }
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(wall: Wall, strength: Strength) -> Enforcement {
        Enforcement { wall, strength, limit: None, by: None }
    }

    #[test]
    fn what_is_asked_for_is_bounded_and_what_is_not_stays_open() {
        let size = |cpu_thousandths, memory_bytes| SandboxLimits {
            cpu_thousandths,
            memory_bytes,
            ..SandboxLimits::default()
        };
        let most = size(Some(2000), Some(1 << 30));
        assert_eq!(size(Some(1000), None).within(&most), size(Some(1000), None));
        assert_eq!(size(Some(9000), Some(2 << 30)).within(&most), most);
        assert_eq!(size(None, Some(1)).within(&SandboxLimits::default()), size(None, Some(1)));
    }

    #[test]
    fn the_weakest_wall_decides_the_tier() {
        let why = || "the kernel says no".to_owned();
        let check = |rows: &[Enforcement], tier| assert_eq!(Enforced(rows.to_vec()).tier(), tier, "{rows:?}");
        let good = row(Wall::SystemCalls, Strength::Enforced);
        check(std::slice::from_ref(&good), Tier::Isolated);
        check(&[good.clone(), row(Wall::Disk, Strength::Soft { why: why() })], Tier::Limited);
        check(&[good.clone(), row(Wall::Network, Strength::Enforced)], Tier::Isolated);
        check(&[good.clone(), row(Wall::FileRules, Strength::Missing { why: why() })], Tier::Limited);
        check(&[good, row(Wall::Namespaces, Strength::Missing { why: why() })], Tier::Refused);
    }

    #[test]
    fn a_hit_is_told_with_its_limit() {
        let check = |wall, limit, text: &str| {
            assert_eq!(LimitHit { wall, limit, times: 1 }.to_string(), text);
        };
        check(Wall::Memory, 4 << 30, "out of memory (limit 4 GiB)");
        check(Wall::Memory, 1536 << 20, "out of memory (limit 1.5 GiB)");
        check(Wall::Processes, 512, "too many processes (limit 512)");
    }

    #[test]
    fn what_is_asked_goes_before_what_is_configured() {
        let asked = SandboxLimits { processes: Some(100), ..SandboxLimits::default() };
        let configured =
            SandboxLimits { processes: Some(200), memory_bytes: Some(1 << 30), ..SandboxLimits::default() };
        let both =
            SandboxLimits { processes: Some(100), memory_bytes: Some(1 << 30), ..SandboxLimits::default() };
        assert_eq!(asked.over(&configured), both);
        assert_eq!(both.check(), Ok(()));
        let tiny = SandboxLimits { memory_bytes: Some(1), ..SandboxLimits::default() };
        assert_eq!(tiny.check(), Err("memory_bytes is 1; the least is 16777216".into()));
    }
}
